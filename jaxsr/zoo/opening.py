"""Weights of any program: ours as they are, others' converted once and kept by their content."""

import functools
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from jaxsr import attention, networks
from jaxsr.zoo import dialects, ncnn, weights
from jaxsr.zoo.convert import convert_file, named_scale

FOLDER = "jaxsr/converted"  # in the user's cache; it may be deleted at any time


def opened(
    path: Path, scale: int | None = None, notes: Mapping[str, str] = MappingProxyType({})
) -> Path:
    """Return a file with the weights of ``path`` in our format: itself, or a converted copy.

    A copy is found again by the file's content, wherever that lies and whatever it is called.

    Args:
      scale: of an upscaler, where its parameters do not tell it.
      notes: kept with a converted copy.

    Raises:
      UserError: it holds no network that is known; see :func:`jaxsr.zoo.convert.convert_file`.
    """
    if weights.network_of(path) is not None:
        return path
    copy = cache() / f"{_key(path, scale or named_scale(path))}.safetensors"
    if weights.network_of(copy) is None:
        copy.parent.mkdir(parents=True, exist_ok=True)
        convert_file(path, copy, scale, notes)
    return copy


def cache() -> Path:
    """Return the folder of converted copies."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / FOLDER


def is_copy(path: Path) -> bool:
    """Return True for a converted copy: its arrays were checked to fit the network as it is now."""
    return path.parent == cache()


def _key(path: Path, scale: int | None) -> str:
    """Return a name for what a file's content becomes by this version of our rules."""
    content = b"".join(map(_digest, ncnn.files_of(path) or (path,)))
    return hashlib.sha256(f"{content.hex()} {scale} {_rules()}".encode()).hexdigest()


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


@functools.cache
def _rules() -> str:
    """Return a hash of dialects, readers and networks: a copy by other rules is another one."""
    rules = (Path(module.__path__[0]) for module in (dialects, networks, attention))
    files = [*(file for folder in rules for file in sorted(folder.glob("*.py")))]
    files.append(Path(ncnn.__file__))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
