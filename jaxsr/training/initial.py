"""Starting a run from other weights: fine-tuning, or a body trained at another scale."""

from pathlib import Path

import flax.traverse_util

from jaxsr import zoo
from jaxsr.training.checkpoints import FOLDER, load_weights
from jaxsr.zoo import weights


def start_from(params: dict, source: str, scale: int) -> dict:
    """``params`` with every array replaced that ``source`` holds under the same name and shape.

    The rest (a fuse head of another scale) stays as initialised, and is named in the log.

    Args:
      params: a network's fresh parameters.
      source: the name of released weights, a weights file, or a run's working directory.
      scale: the scale that a released name is looked up at.

    Raises:
      ValueError: the source is none of these, or has nothing in common with the network.
    """
    if (Path(source) / FOLDER).is_dir():
        given = load_weights(source).params
    else:
        given = weights.load(zoo.find(source, scale)).params
    given = flax.traverse_util.flatten_dict(given, sep="/")
    fresh = flax.traverse_util.flatten_dict(params, sep="/")
    taken = {k for k in fresh if k in given and given[k].shape == fresh[k].shape}
    if not taken:
        raise ValueError(f"config.init_from={source!r} shares no parameter with this network")
    for name in sorted(set(fresh) - taken):
        print(f"init_from: {name} is not in {source} and starts anew")
    merged = {k: given[k] if k in taken else v for k, v in fresh.items()}
    return flax.traverse_util.unflatten_dict(merged, sep="/")
