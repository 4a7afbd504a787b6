"""Starting a run from other weights: fine-tuning, or a body trained at another scale."""

from pathlib import Path

import flax.traverse_util

from jaxsr import codec, zoo
from jaxsr.codec.weights import holds_codec
from jaxsr.errors import UserError
from jaxsr.training.checkpoints import FOLDER, load_weights
from jaxsr.zoo import weights


def start_from(params: dict, source: str, scale: int) -> dict:
    """Replace every array of ``params`` that ``source`` has under the same name and shape.

    The rest (a fuse head of another scale) stays as initialised; a line says how much that is.

    Args:
      params: a network's fresh parameters.
      source: the name of released weights, a file of weights, also of others (``any.pth``) and for
        another scale, or a run's working directory.
      scale: the scale that a released upscaler is looked up at.

    Raises:
      UserError: the source is none of these, or has nothing in common with the network.
    """
    given, fresh = weights.flatten(_params_of(source, scale)), weights.flatten(params)
    taken = {k for k in fresh if k in given and given[k].shape == fresh[k].shape}
    if not taken:
        raise UserError(f"config.init_from={source!r} shares no parameter with this network")
    anew = ", ".join(sorted(set(fresh) - taken)[:4])
    print(f"init_from: {len(taken)} of {len(fresh)} arrays are taken from {source}", end="")
    print(f"; the rest starts anew: {anew} …" if anew else "", flush=True)
    merged = {k: given[k] if k in taken else v for k, v in fresh.items()}
    return flax.traverse_util.unflatten_dict(merged, sep="/")


def _params_of(source: str, scale: int) -> dict:
    if (Path(source) / FOLDER).is_dir():
        return load_weights(source).params
    try:
        path = _file_of(source, scale)
        if holds_codec(path):
            return codec.load(path).trainable
        return weights.read(path).params
    except UserError as error:
        raise UserError(f"config.init_from: {error}; or give a run's --workdir") from None


def _file_of(source: str, scale: int) -> Path:
    try:
        return zoo.find_any_weights(source, scale)
    except UserError:
        if not Path(source).is_file():
            raise
        return zoo.find_any_weights(source)  # a checkpoint of another scale, whose body is a start
