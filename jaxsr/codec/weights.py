"""A codec's weights: float16 parameters, integer layers and tables in one safetensors file."""

import json
import os
from pathlib import Path

import flax.traverse_util
import jax
import numpy as np
import safetensors
import safetensors.numpy

from jaxsr import zoo
from jaxsr.atomic import write_bytes
from jaxsr.codec import kept
from jaxsr.codec.kept import once_a_file
from jaxsr.codec.model import Model
from jaxsr.entropy import integer, tables
from jaxsr.errors import UserError

FORMAT = "jaxsr-codec-1"
DEFAULT = "patch-hyperprior"


def save(path: str | os.PathLike, model: Model) -> None:
    """Write ``model`` to ``path``, whole or not at all."""
    metadata = {
        "format": FORMAT,
        "network": model.name,
        "options": json.dumps(model.options),
        "number": str(model.number),
    }
    metadata |= {f"note:{key}": str(value) for key, value in model.notes.items()}
    write_bytes(path, safetensors.numpy.save(model.arrays(), metadata))


def find(name_or_path: str | os.PathLike = DEFAULT) -> Path:
    """Return the file of a released codec, by its name, or the path of a file.

    Raises:
      UserError: there is no such name or file.
    """
    return zoo.find_weights(zoo.CODEC, name_or_path)


def available() -> dict[str, Path]:
    """Return the released codecs: name → file."""
    return zoo.released(zoo.CODEC)


def name_of(hash: bytes) -> str | None:
    """Return the name of the released codec that files name by ``hash``; None if there is none."""
    return kept.name_of(hash, available(), load)


def holds_codec(path: str | os.PathLike) -> bool:
    """Return True if there is a file of a codec's weights at ``path``."""
    try:
        with safetensors.safe_open(path, "numpy") as file:
            return (file.metadata() or {}).get("format") == FORMAT
    except (OSError, safetensors.SafetensorError):
        return False


def load(
    name_or_path: str | os.PathLike = DEFAULT, entropy_device: str | jax.Device = "auto"
) -> Model:
    """Load a codec by released name or file; one file gives one object until it is rewritten.

    Args:
      name_or_path: a name of :func:`available`, or a file.
      entropy_device: where the entropy coder runs; see :class:`jaxsr.codec.Model`. Files do not
        depend on it.

    Raises:
      UserError: there is no such name, file or entropy device, or the file holds no codec.
    """
    return _read(find(name_or_path)).coding_on(entropy_device)


@once_a_file
def _read(path: Path) -> Model:
    """Read a file written by :func:`save`."""
    zoo.check_kind(path, zoo.CODEC)
    try:
        with safetensors.safe_open(path, "numpy") as file:
            metadata = file.metadata() or {}
            flat = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError) as error:
        raise UserError(f"{path}: not a safetensors file ({error})") from None
    if metadata.get("format") != FORMAT:
        raise UserError(f"{path}: not a codec's weights; `jaxsr convert RUN` makes them of a run")
    tree = flax.traverse_util.unflatten_dict(flat, sep="/")
    layers = tree["scales"]
    return Model(
        name=metadata["network"],
        number=int(metadata["number"]),
        options=json.loads(metadata["options"]),
        params=jax.tree.map(lambda x: x.astype(np.float32), tree["params"]),
        scales=tuple(integer.Layer(**layers[str(i)]) for i in range(len(layers))),
        gains=tree["rates"]["gains"],
        offsets=tree["rates"]["offsets"],
        residual_tables=tables.from_arrays(tree["residual_tables"]),
        hyper_tables=tables.from_arrays(tree["hyper_tables"]),
        notes=zoo.weights.notes_of(metadata, path),
    )
