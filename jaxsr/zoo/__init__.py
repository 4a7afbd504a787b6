"""Released weights: files ``NAME-xSCALE.safetensors`` in this folder, found by name or by path."""

import dataclasses
import inspect
import os
import re
from pathlib import Path

from jaxsr import networks
from jaxsr.networks import SCALES, span
from jaxsr.zoo import weights
from jaxsr.zoo.weights import Weights

DEFAULT = "span-compact"
FOLDER = Path(__file__).parent
CHECKPOINTS = (".pth", ".pt", ".ckpt", ".bin")  # PyTorch's; `jaxsr convert` reads them


def available(folder: str | os.PathLike = FOLDER) -> dict[str, dict[int, Path]]:
    """Released weights: name → scale → file, both in order."""
    found: dict[str, dict[int, Path]] = {}
    for path in sorted(Path(folder).glob("*-x*.safetensors")):
        if match := re.fullmatch(r"(.+)-x(\d+)", path.stem):
            found.setdefault(match[1], {})[int(match[2])] = path
    return {name: dict(sorted(scales.items())) for name, scales in found.items()}


def find(
    name_or_path: str | os.PathLike = DEFAULT,
    scale: int | None = None,
    folder: str | os.PathLike = FOLDER,
) -> Path:
    """The weights file of a released name and scale (×4 unless told), or the file a path names.

    Raises:
      ValueError: there is no such name, not at that scale, or no such file; or the file is a
        PyTorch checkpoint that has to be converted first.
    """
    text = os.fspath(name_or_path)
    path = Path(text).expanduser()
    if path.suffix in CHECKPOINTS:
        raise ValueError(
            f"{text}: a PyTorch checkpoint; turn it into weights first: "
            f"jaxsr convert {text} {path.stem}.safetensors"
        )
    if path.is_dir():
        raise ValueError(
            f"{text}: a folder; if it is a training run, turn it into weights first: "
            f"jaxsr convert {text} {path.name}.safetensors"
        )
    if path.suffix == ".safetensors" or os.sep in text or "/" in text:
        if not path.is_file():
            raise ValueError(f"{text}: no such weights file")
        return path
    scale = 4 if scale is None else scale
    if scale not in SCALES:
        raise ValueError(f"unsupported scale {scale}; there are: 2, 3, 4")
    released = available(folder)
    if text not in released:
        similar = text.replace("_", "-")
        meant = f", did you mean {similar}?" if similar in released else ""
        raise ValueError(
            f"unknown model {text!r}{meant}; released: {_listing(released)} (or give a .safetensors file)"
        )
    if scale not in released[text]:
        raise ValueError(f"model {text!r} is not released at ×{scale}; {_listing(released)}")
    return released[text][scale]


def _listing(released: dict[str, dict[int, Path]]) -> str:
    lines = (
        f"{name} {' '.join(f'×{scale}' for scale in scales)}" for name, scales in released.items()
    )
    return ", ".join(lines) or "none in this installation"


def load(
    name_or_path: str | os.PathLike = DEFAULT,
    scale: int | None = None,
    folder: str | os.PathLike = FOLDER,
) -> Weights:
    """Weights ready to run: found by :func:`find`, and folded where the network has such a form.

    Raises:
      ValueError: as :func:`find`; the file is damaged, or made for another scale.
    """
    path = find(name_or_path, scale, folder)
    loaded = weights.load(path)
    made_for = loaded.options.get("scale", 4)
    if scale is not None and scale != made_for:
        raise ValueError(f"{path}: these weights upscale ×{made_for}, not ×{scale}")
    return folded(loaded)


def has_folded_form(network: str) -> bool:
    """Whether ``network`` trains in another form than it runs in (the option ``folded``)."""
    factory = networks.UPSCALERS.get(network)
    return factory is not None and "folded" in inspect.signature(factory).parameters


def folded(loaded: Weights) -> Weights:
    """The form to run of re-parameterised weights (SPAN's ``folded=True``); others as they are."""
    if loaded.options.get("folded") or not has_folded_form(loaded.network):
        return loaded
    return dataclasses.replace(
        loaded, options={**loaded.options, "folded": True}, params=span.fold(loaded.params)
    )
