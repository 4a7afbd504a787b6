"""Weights on disk: one safetensors file of the parameters and how to build their network."""

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import flax.linen as nn
import flax.traverse_util
import jax
import numpy as np
import safetensors
import safetensors.numpy

from jaxsr.atomic import write_bytes
from jaxsr.errors import UserError

FORMAT = "jaxsr-1"
LICENCE = "Apache-2.0"  # of the weights in this folder


@dataclasses.dataclass(frozen=True)
class Weights:
    """Parameters of a network together with the call that builds it.

    Attributes:
      network: a name of ``jaxsr.networks``: an upscaler's, a segmenter's, a restorer's, or of a
        compressor in training (trained ones have files of their own, :mod:`jaxsr.codec.weights`).
      options: the factory's options (``{"scale": 4, …}``), plain JSON values.
      params: the linen parameter tree, float32 NumPy arrays.
      notes: free text kept with the file (where it came from, figures).
      checked: True where the parameters are known to be those of the network; else they are checked
        before they are used, which takes as long as tracing it.
    """

    network: str
    options: dict[str, Any]
    params: dict[str, Any]
    notes: dict[str, str] = dataclasses.field(default_factory=dict)
    checked: bool = False


def flatten(params: Mapping[str, Any]) -> dict[str, Any]:
    """Flatten a parameter tree: ``enhance/conv/kernel`` → leaf."""
    return dict(flax.traverse_util.flatten_dict(params, sep="/"))


def write(path: str | os.PathLike, weights: Weights) -> None:
    """Write ``weights`` to ``path``, whole or not at all."""
    flat = {
        name: np.ascontiguousarray(value, np.float32)
        for name, value in flatten(weights.params).items()
    }
    metadata = {
        "format": FORMAT,
        "network": weights.network,
        "options": json.dumps(weights.options),
    }
    metadata |= {f"note:{key}": str(value) for key, value in weights.notes.items()}
    write_bytes(path, safetensors.numpy.save(flat, metadata))


def read(path: str | os.PathLike) -> Weights:
    """Read a file written by :func:`write`.

    Raises:
      UserError: there is no such file, it is not safetensors, or another program wrote it.
    """
    try:
        with safetensors.safe_open(path, "numpy") as file:
            metadata = file.metadata() or {}
            flat = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise UserError(f"{path}: no such weights file") from None
    except (safetensors.SafetensorError, OSError) as error:
        raise UserError(f"{path}: not a safetensors file ({error})") from None
    if metadata.get("format") != FORMAT:
        raise UserError(
            f"{path}: not jaxsr weights; `jaxsr convert` turns PyTorch checkpoints into them"
        )
    return Weights(
        network=metadata["network"],
        options=json.loads(metadata["options"]),
        params=flax.traverse_util.unflatten_dict(flat, sep="/"),
        notes=notes_of(metadata, Path(path)),
    )


def notes_of(metadata: Mapping[str, str], path: Path) -> dict[str, str]:
    """Return the notes in a file's metadata; released weights have their licence among them."""
    notes = {k.removeprefix("note:"): v for k, v in metadata.items() if k.startswith("note:")}
    released = path.resolve().parent == Path(__file__).parent
    return notes | ({"licence": LICENCE} if released else {})


def network_of(path: str | os.PathLike) -> str | None:
    """Return the network that a weights file, also a codec's, is for; None if it is none."""
    try:
        with safetensors.safe_open(path, "numpy") as file:
            return (file.metadata() or {}).get("network")
    except (OSError, safetensors.SafetensorError):
        return None


def check_params(
    network: nn.Module, params: Mapping[str, Any], name: str, *inputs: jax.ShapeDtypeStruct
) -> None:
    """Check that ``params`` are the tree of arrays that ``network`` has when given ``inputs``.

    Args:
      name: of the weights, for the error.

    Raises:
      UserError: an array is missing, too much, or has another shape.
    """
    wanted = jax.eval_shape(network.init, jax.random.key(0), *inputs)["params"]
    shapes = [
        {jax.tree_util.keystr(path): a.shape for path, a in jax.tree.leaves_with_path(tree)}
        for tree in (wanted, params)
    ]
    for place in sorted(shapes[0].keys() | shapes[1].keys()):
        want, have = (shape.get(place) for shape in shapes)
        if want != have:
            raise UserError(
                f"{name}: the weights do not fit the network they name: at {place} it wants "
                f"{want}, they have {have}; convert or train them again"
            )
