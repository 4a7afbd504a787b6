"""Convert PyTorch checkpoints of published networks into :class:`~jaxsr.zoo.weights.Weights`."""

import dataclasses
import os
import re
from pathlib import Path
from typing import Any

import flax.traverse_util
import jax
import numpy as np

from jaxsr.errors import UserError
from jaxsr.zoo import weights
from jaxsr.zoo.dialects import State, recognise
from jaxsr.zoo.kinds import UPSCALER, known_kind
from jaxsr.zoo.pytorch import read_checkpoint
from jaxsr.zoo.weights import Weights


def convert(state: State, **options: Any) -> Weights:
    """Recognise the state dict of a published network and rename it into ours.

    Args:
      state: names → arrays, as :func:`jaxsr.zoo.pytorch.read_checkpoint` returns them.
      options: of the network's factory, where the state does not tell them (``scale=3`` for PAN,
        whose ×2 and ×3 have the same parameters) or tells them wrongly.

    Raises:
      UserError: no dialect knows these names, some are left over or missing, or the shapes do not
        fit the network.
    """
    dialect = recognise(state)
    network, found = dialect.described(state)
    options = found | options
    if network in UPSCALER.networks and "scale" not in options:
        raise UserError(
            f"these {network} weights fit several scales alike; say which: scale=2 or scale=3"
        )
    return Weights(network, options, fit(dialect.renamed(state), network, options))


def convert_file(
    source: str | os.PathLike, target: str | os.PathLike, scale: int | None = None, **options: Any
) -> Weights:
    """Read a PyTorch checkpoint, write it as our weights, and return what was written.

    Args:
      scale: needed where the parameters do not tell it; an ``x2`` in the source's name will do.
      options: see :func:`convert`.

    Raises:
      UserError: the source is such weights already; or see
        :func:`jaxsr.zoo.pytorch.read_checkpoint` and :func:`convert`.
    """
    source = Path(source)
    if weights.network_of(source):
        raise UserError(f"{source}: weights already, no checkpoint; give them to --model")
    state = read_checkpoint(source)
    _, found = recognise(state).described(state)
    if scale is None and "scale" not in found:
        named = re.search(r"[xX]([23])", source.stem)
        scale = int(named[1]) if named else None
    if scale is not None:
        options["scale"] = scale
    converted = dataclasses.replace(
        convert(state, **options), notes={"converted_from": source.name}
    )
    weights.write(target, converted)
    return converted


def fit(flat: dict[str, np.ndarray], network: str, options: dict[str, Any]) -> dict[str, Any]:
    """Build the parameter tree of ``network``, every array checked against the shape it must have.

    A 1×1 convolution may stand where we have a dense layer, and the other way round.

    Args:
      flat: paths such as ``enhance/conv/kernel`` → arrays.

    Raises:
      UserError: an array is missing, too much, or has another shape.
    """
    kind = known_kind(network)
    module = kind.create(network, **options)
    shapes = jax.eval_shape(module.init, jax.random.key(0), *kind.inputs(module))
    expected = weights.flatten(shapes["params"])
    if wrong := sorted(expected.keys() ^ flat.keys()):
        side = "lacks" if wrong[0] in expected else "has too much:"
        raise UserError(f"the checkpoint {side} {wrong[0]!r} for {network} with {options}")
    fitted = {}
    for name, value in flat.items():
        shape = expected[name].shape
        if [n for n in value.shape if n > 1] != [n for n in shape if n > 1]:
            raise UserError(
                f"{name!r} has shape {value.shape}, but {network} with {options} needs {shape}"
            )
        fitted[name] = np.ascontiguousarray(value.reshape(shape), np.float32)
    return flax.traverse_util.unflatten_dict(fitted, sep="/")
