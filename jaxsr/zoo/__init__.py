"""Released weights, files in this folder, found by name or by path.

Upscalers are ``NAME-xSCALE.safetensors``; segmenters, restorers and codecs ``NAME.safetensors``. A codec's
file has more in it than a network's parameters: :mod:`jaxsr.codec.weights` reads it.
"""

import dataclasses
import inspect
import os
import re
from pathlib import Path

import flax.linen as nn

from jaxsr import networks
from jaxsr.errors import UserError
from jaxsr.networks import SCALES, span
from jaxsr.zoo import weights
from jaxsr.zoo.kinds import CODEC, KINDS, RESTORER, SEGMENTER, UPSCALER, Kind, kind_of
from jaxsr.zoo.weights import Weights

DEFAULT = "span-compact"
DEFAULT_SEGMENTER = "attention-unet"
DEFAULT_RESTORER = "window-restorer"
FOLDER = Path(__file__).parent
CHECKPOINTS = (".pth", ".pt", ".ckpt", ".bin")  # PyTorch's; `jaxsr convert` reads them

Name = str | os.PathLike
Folder = str | os.PathLike


def released(kind: Kind, folder: Folder = FOLDER) -> dict[str, Path]:
    """Weights of one kind: name → file, in order; an upscaler's name ends in ``-xSCALE`` here."""
    files = sorted(Path(folder).glob("*.safetensors"))
    return {path.stem: path for path in files if weights.network_of(path) in kind.networks}


def available(folder: Folder = FOLDER) -> dict[str, dict[int, Path]]:
    """Released upscalers: name → scale → file, both in order."""
    found: dict[str, dict[int, Path]] = {}
    for stem, path in released(UPSCALER, folder).items():
        if match := re.fullmatch(r"(.+)-x(\d+)", stem):
            found.setdefault(match[1], {})[int(match[2])] = path
    return {name: dict(sorted(scales.items())) for name, scales in found.items()}


def find(name_or_path: Name = DEFAULT, scale: int | None = None, folder: Folder = FOLDER) -> Path:
    """The weights file of a released upscaler's name and scale (×4 unless told), or the one a path names.

    Raises:
      UserError: there is no such name, not at that scale, or no such file; or the file is a
        PyTorch checkpoint that has to be converted first.
    """
    if path := file_of(name_or_path):
        return path
    name = os.fspath(name_or_path)
    scale = 4 if scale is None else scale
    if scale not in SCALES:
        raise UserError(f"unsupported scale {scale}; there are: 2, 3, 4")
    upscalers = available(folder)
    if name not in upscalers:
        raise _unknown(name, UPSCALER, folder)
    if scale not in upscalers[name]:
        raise UserError(f"model {name!r} is not released at ×{scale}; {_listing(upscalers)}")
    return upscalers[name][scale]


def find_one(kind: Kind, name_or_path: Name, folder: Folder = FOLDER) -> Path:
    """The weights file of a released name of any kind but upscalers, or the one a path names.

    Raises:
      UserError: as :func:`find`.
    """
    if path := file_of(name_or_path):
        return path
    name = os.fspath(name_or_path)
    files = released(kind, folder)
    if name not in files:
        raise _unknown(name, kind, folder)
    return files[name]


def find_any(name: Name, scale: int | None = None, folder: Folder = FOLDER) -> Path:
    """The weights file of a released name of whatever kind, or the one a path names.

    Raises:
      UserError: as :func:`find`.
    """
    for kind in (SEGMENTER, RESTORER, CODEC):
        if os.fspath(name) in released(kind, folder):
            return find_one(kind, name, folder)
    return find(name, scale, folder)


def file_of(name_or_path: Name) -> Path | None:
    """The file that a path names; None for what is no path but a name.

    Raises:
      UserError: no weights can be there: no file, a folder, or a PyTorch checkpoint.
    """
    text = os.fspath(name_or_path)
    path = Path(text).expanduser()
    if path.suffix in CHECKPOINTS:
        raise UserError(
            f"{text}: a PyTorch checkpoint; turn it into weights first: "
            f"jaxsr convert {text} {path.stem}.safetensors"
        )
    if path.is_dir():
        raise UserError(
            f"{text}: a folder; if it is a training run, turn it into weights first: "
            f"jaxsr convert {text} {path.name}.safetensors"
        )
    if path.suffix != ".safetensors" and os.sep not in text and "/" not in text:
        return None
    if not path.is_file():
        raise UserError(f"{text}: no such weights file")
    return path


def _unknown(name: str, wanted: Kind, folder: Folder) -> UserError:
    """What to say of a name that is not released as ``wanted``."""
    names = {kind: _names(kind, folder) for kind in KINDS}
    ours = f"released: {_listing(names[wanted])} (or give a .safetensors file)"
    for kind in KINDS:
        if name in names[kind]:
            return UserError(
                f"{name!r}: {kind.name} weights, not {wanted.name} weights; "
                f"{kind.command} takes them; {ours}"
            )
    similar = name.replace("_", "-")
    known = any(similar in those for those in names.values())
    meant = f", did you mean {similar}?" if known else ""
    return UserError(f"unknown {wanted.name} {name!r}{meant}; {ours}")


def _names(kind: Kind, folder: Folder) -> dict:
    """What may be asked for by name: upscalers with their scales, others alone."""
    return available(folder) if kind is UPSCALER else dict.fromkeys(released(kind, folder), ())


def _listing(names: dict) -> str:
    lines = (" ".join([name, *(f"×{scale}" for scale in names[name])]) for name in names)
    return ", ".join(lines) or "none in this installation"


def load(
    name_or_path: Name = DEFAULT, scale: int | None = None, folder: Folder = FOLDER
) -> Weights:
    """An upscaler's weights ready to run: found by :func:`find`, folded where it has such a form.

    Raises:
      UserError: as :func:`find`; the file is damaged, or made for another scale or no upscaler.
    """
    path = find(name_or_path, scale, folder)
    loaded = read(path, UPSCALER)
    made_for = loaded.options.get("scale", 4)
    if scale is not None and scale != made_for:
        raise UserError(f"{path}: these weights upscale ×{made_for}, not ×{scale}")
    return folded(loaded)


def load_segmenter(name_or_path: Name = DEFAULT_SEGMENTER, folder: Folder = FOLDER) -> Weights:
    """A segmenter's weights, released ones by name or those of a file.

    Raises:
      UserError: as :func:`find`; the file is damaged, or no segmenter's.
    """
    return read(find_one(SEGMENTER, name_or_path, folder), SEGMENTER)


def load_restorer(name_or_path: Name = DEFAULT_RESTORER, folder: Folder = FOLDER) -> Weights:
    """A restorer's weights, released ones by name or those of a file.

    Raises:
      UserError: as :func:`find`; the file is damaged, or no restorer's.
    """
    return read(find_one(RESTORER, name_or_path, folder), RESTORER)


def read(path: Path, wanted: Kind) -> Weights:
    """The weights in a file, if they are of the kind that is wanted.

    Raises:
      UserError: they are not, or the file is damaged.
    """
    check_kind(path, wanted)
    loaded = weights.load(path)
    if loaded.network not in wanted.networks:
        known = ", ".join(sorted(wanted.networks))
        raise UserError(f"{path}: unknown network {loaded.network!r}; a {wanted.name} is: {known}")
    return loaded


def check_kind(path: Path, wanted: Kind) -> None:
    """Raises UserError where a file has weights of another kind, and says who takes them."""
    network = weights.network_of(path)
    kind = kind_of(network)
    if kind not in (None, wanted):
        raise UserError(
            f"{path}: {kind.name} weights ({network}), not {wanted.name} weights; "
            f"{kind.command} takes them"
        )


def build(loaded: Weights, name: Name = "weights") -> nn.Module:
    """The network of weights of any kind but a codec's, whose arrays were found to fit it.

    Args:
      name: of the weights, for the error.

    Raises:
      UserError: there is no such network, or the arrays are others than it has.
    """
    kind = kind_of(loaded.network)
    if kind is None:
        raise UserError(f"{os.fspath(name)}: unknown network {loaded.network!r}")
    network = kind.create(loaded.network, **loaded.options)
    inputs = kind.inputs(network, params=loaded.params)
    weights.check_params(network, loaded.params, os.fspath(name), *inputs)
    return network


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
