"""Convert PyTorch checkpoints of published networks into :class:`~jaxsr.zoo.weights.Weights`."""

import dataclasses
import os
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import flax.traverse_util
import jax
import numpy as np

from jaxsr.errors import UserError
from jaxsr.zoo import ncnn, weights
from jaxsr.zoo.dialects import State, recognise
from jaxsr.zoo.kinds import UPSCALER, known_kind
from jaxsr.zoo.pytorch import read_checkpoint
from jaxsr.zoo.weights import Weights


def convert(state: State, hint: int | None = None, **options: Any) -> Weights:
    """Recognise the state dict of a published network and rename it into ours.

    Args:
      state: names → arrays, as :func:`jaxsr.zoo.pytorch.read_checkpoint` returns them.
      hint: the scale to take where neither the state nor ``options`` tell it.
      options: of the network's factory, where the state does not tell them (``scale=3`` for PAN,
        whose ×2 and ×3 have the same parameters) or tells them wrongly.

    Raises:
      UserError: no dialect knows these names, some are left over or missing, the shapes do not fit
        the network, it is made for another scale, or there are numbers that are not finite.
    """
    dialect, state = recognise(state)
    network, found = dialect.described(state)
    if found.get("scale", options.get("scale")) != options.get("scale", found.get("scale")):
        raise UserError(f"these weights upscale ×{found['scale']}, not ×{options['scale']}")
    options = ({} if hint is None else {"scale": hint}) | found | options
    if network in UPSCALER.networks and "scale" not in options:
        raise UserError(
            f"these {network} weights fit several scales alike; say which: scale=2 or scale=3"
        )
    return Weights(network, options, fit(dialect.renamed(state), network, options))


def convert_file(
    source: str | os.PathLike,
    target: str | os.PathLike,
    scale: int | None = None,
    notes: Mapping[str, str] = MappingProxyType({}),
    **options: Any,
) -> Weights:
    """Read weights of PyTorch or ncnn, write them as ours, and return what was written.

    Args:
      source: a checkpoint, or either file of a model of ncnn.
      scale: needed where the parameters do not tell it; an ``x2`` in the source's name will do.
      notes: to be kept with the weights.
      options: see :func:`convert`.

    Raises:
      UserError: the source is such weights already; or see
        :func:`jaxsr.zoo.pytorch.read_checkpoint`, :func:`jaxsr.zoo.ncnn.read_ncnn` and
        :func:`convert`.
    """
    source = Path(source)
    if weights.network_of(source):
        raise UserError(f"{source}: weights already, no checkpoint; give them to --model")
    files = ncnn.files_of(source)
    state = ncnn.read_ncnn(*files) if files else read_checkpoint(source)
    if scale is not None:
        options["scale"] = scale
    try:
        found = convert(state, named_scale(source), **options)
    except UserError as error:
        raise UserError(f"{source}: {error}") from None
    found = dataclasses.replace(found, notes={"converted_from": source.name, **notes})
    weights.write(target, found)
    return found


def named_scale(path: Path) -> int | None:
    """Return the scale that a file's name tells, as ``pan_x2.pth`` does; None if it tells none."""
    named = re.search(r"[xX]([23])|([23])[xX]", path.stem)
    return int(named[1] or named[2]) if named else None


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
        if not np.isfinite(value).all():
            raise UserError(f"{name!r} holds numbers that are not finite (NaN or infinite)")
        fitted[name] = np.ascontiguousarray(value.reshape(shape), np.float32)
    return flax.traverse_util.unflatten_dict(fitted, sep="/")
