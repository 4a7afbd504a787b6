"""Find and read the released weights, files in this folder, by name or by path.

Upscalers are ``NAME-xSCALE.safetensors``; segmenters, restorers and codecs ``NAME.safetensors``.
A codec's file holds more than a network's parameters: :mod:`jaxsr.codec.weights` reads it.
"""

import dataclasses
import os
import re
from pathlib import Path

from jaxsr.errors import UserError
from jaxsr.image import formats
from jaxsr.networks import SCALES
from jaxsr.zoo import own, packages, weights
from jaxsr.zoo.building import folded
from jaxsr.zoo.kinds import CODEC, KINDS, RESTORER, SEGMENTER, UPSCALER, Kind, kind_of
from jaxsr.zoo.opening import is_copy, opened
from jaxsr.zoo.own import SUFFIXES
from jaxsr.zoo.weights import Weights

DEFAULT_UPSCALER = "span-photo"  # of photographs as they are
CLEAN_UPSCALER = "span-compact"
DEFAULT_SEGMENTER = "attention-unet"
DEFAULT_RESTORER = "window-restorer"
DEFAULT_SCALE = 4
FOLDER = Path(__file__).parent

Name = str | os.PathLike
Folder = str | os.PathLike


# Listing ----------------------------------------------------------------------------------------


def released(kind: Kind, folder: Folder = FOLDER) -> dict[str, Path]:
    """List one kind's weights: name → file, sorted; an upscaler's name ends in ``-xSCALE`` here."""
    files = sorted(Path(folder).glob("*.safetensors"))
    return {path.stem: path for path in files if weights.network_of(path) in kind.networks}


def released_upscalers(folder: Folder = FOLDER) -> dict[str, dict[int, Path]]:
    """List the upscalers: name → scale → file, names and scales sorted."""
    found: dict[str, dict[int, Path]] = {}
    for stem, path in released(UPSCALER, folder).items():
        if match := re.fullmatch(r"(.+)-x(\d+)", stem):
            found.setdefault(match[1], {})[int(match[2])] = path
    return {name: dict(sorted(scales.items())) for name, scales in found.items()}


# Finding ----------------------------------------------------------------------------------------


def upscalers(folder: Folder = FOLDER) -> dict[str, dict[int, Path]]:
    """List released upscalers and those of installed packages: name → scale → file."""
    return released_upscalers(folder) | packages.upscalers()


def find_weights(
    kind: Kind, name_or_path: Name, scale: int | None = None, folder: Folder = FOLDER
) -> Path:
    """Find the weights file of a released name, or the file that a path names.

    Args:
      kind: what the name must be a name of; the kind of a file of ours is checked by
        :func:`read_weights`.
      name_or_path: a released name, or that of a file in the user's folder of models
        (:mod:`jaxsr.zoo.own`), or a path: it ends as weights do (``SUFFIXES``) or has a slash.
      scale: an upscaler's; ×4 when not given. Other kinds ignore it, and files that tell theirs.
      folder: where the released weights lie.

    Returns:
      A file of ours; of other programs' weights, a converted copy (see :mod:`jaxsr.zoo.opening`).

    Raises:
      UserError: no such name, not at that scale, or no such file; or the file has no network that
        is known.
    """
    if path := path_of(name_or_path) or _own(name_or_path, folder):
        found = opened(path, scale if kind is UPSCALER else None)
        check_kind(found, kind, path)
        return found
    name = os.fspath(name_or_path)
    if kind is UPSCALER:
        return _find_upscaler(name, DEFAULT_SCALE if scale is None else scale, folder)
    files = released(kind, folder)
    if name not in files:
        raise _unknown(name, kind, folder)
    return files[name]


def find_any_weights(name_or_path: Name, scale: int | None = None, folder: Folder = FOLDER) -> Path:
    """Find weights of whatever kind; otherwise as :func:`find_weights`."""
    if path := path_of(name_or_path) or _own(name_or_path, folder):
        return opened(path, scale)
    names = {kind: released(kind, folder) for kind in (SEGMENTER, RESTORER, CODEC)}
    found = (kind for kind, files in names.items() if os.fspath(name_or_path) in files)
    return find_weights(next(found, UPSCALER), name_or_path, scale, folder)


def _find_upscaler(name: str, scale: int, folder: Folder) -> Path:
    if scale not in SCALES:
        raise UserError(f"unsupported scale {scale}; there are: {', '.join(map(str, SCALES))}")
    upscalers = released_upscalers(folder)
    if name not in upscalers and (package := packages.package_of(name)):
        return opened(packages.find(package, name, scale), scale, {"licence": package.licence})
    if name not in upscalers:
        raise _unknown(name, UPSCALER, folder)
    if scale not in upscalers[name]:
        raise UserError(f"model {name!r} is not released at ×{scale}; {_listing(upscalers)}")
    return upscalers[name][scale]


def path_of(name_or_path: Name) -> Path | None:
    """Return the weights file that a path names; None for what is no path but a released name.

    Raises:
      UserError: it is a path without weights: no file, a folder or an image.
    """
    text = os.fspath(name_or_path)
    path = Path(text).expanduser()
    if _is_image(path):
        raise UserError(
            f"{text}: an image, not weights; give the name of released weights (see jaxsr models) "
            "or a file of weights"
        )
    if path.suffix not in SUFFIXES and os.sep not in text and "/" not in text:
        return None
    if path.is_dir():
        raise _no_folder(path)
    if not path.is_file():
        raise UserError(f"{text}: no such weights file")
    return path


def _own(name: Name, folder: Folder) -> Path | None:
    """Return the file of the user's folder of models that has this name, if no other weights do."""
    name = os.fspath(name)
    path = own.models().get(name)  # first: to list all others opens their files
    if path is None or packages.package_of(name):
        return None
    return None if any(name in _names(kind, folder) for kind in KINDS) else path


def _no_folder(path: Path) -> UserError:
    return UserError(
        f"{path}: a folder; if it is a training run, turn it into weights first: "
        f"jaxsr convert {path} {path.name}.safetensors"
    )


def _is_image(path: Path) -> bool:
    """Return True for an image or ``.jsr`` file, by its content; where there is none, by its name.

    A name without suffix may be one of released weights: then only the content tells.
    """
    if path.is_file():
        with path.open("rb") as file:
            start = file.read(32)
        return formats.format_of_content(start) is not None or start.startswith(b"\x89JSR")
    return path.suffix.lower() in (*formats.SUFFIXES, ".jsr")


def _unknown(name: str, wanted: Kind, folder: Folder) -> UserError:
    """Explain that ``name`` is not released as ``wanted``, and what may be meant instead."""
    names = {kind: _names(kind, folder) for kind in KINDS}
    listed = released_upscalers(folder) if wanted is UPSCALER else names[wanted]
    more = ", and what jaxsr models lists" if names[wanted].keys() - listed.keys() else ""
    ours = f"released: {_listing(listed)}{more} (or give a file)"
    for kind in KINDS:
        if name in names[kind]:
            return UserError(
                f"{name!r}: {kind.name} weights, not {wanted.name} weights; "
                f"{kind.command} takes them; {ours}"
            )
    if Path(name).is_dir():
        return _no_folder(Path(name))
    similar = name.replace("_", "-")
    known = any(similar in those for those in names.values())
    meant = f", did you mean {similar}?" if known else ""
    return UserError(f"unknown {wanted.name} {name!r}{meant}; {ours}")


def _names(kind: Kind, folder: Folder) -> dict:
    """Map the names that may be asked for to their scales; only upscalers have any."""
    if kind is UPSCALER:
        return upscalers(folder)
    return dict.fromkeys(released(kind, folder), ())


def _listing(names: dict) -> str:
    lines = (" ".join([name, *(f"×{scale}" for scale in names[name])]) for name in names)
    return ", ".join(lines) or "none in this installation"


# Reading ----------------------------------------------------------------------------------------


def read_upscaler(
    name_or_path: Name = DEFAULT_UPSCALER, scale: int | None = None, folder: Folder = FOLDER
) -> Weights:
    """Read an upscaler's weights in the form to run: folded where the network has such a form.

    Args:
      scale: ×4 when not given, or what a given file was made for.

    Raises:
      UserError: as :func:`find_weights`; or the file is damaged, made for another scale, or holds
        no upscaler.
    """
    path = find_weights(UPSCALER, name_or_path, scale, folder)
    read = read_weights(path, UPSCALER)
    made_for = read.options.get("scale", DEFAULT_SCALE)
    if scale is not None and scale != made_for:
        name = os.fspath(name_or_path)
        raise UserError(f"{name}: these weights upscale ×{made_for}, not ×{scale}")
    return folded(read)


def read_segmenter(name_or_path: Name = DEFAULT_SEGMENTER, folder: Folder = FOLDER) -> Weights:
    """Read a segmenter's weights.

    Raises:
      UserError: as :func:`find_weights`; or the file is damaged, or holds no segmenter.
    """
    return read_weights(find_weights(SEGMENTER, name_or_path, folder=folder), SEGMENTER)


def read_restorer(name_or_path: Name = DEFAULT_RESTORER, folder: Folder = FOLDER) -> Weights:
    """Read a restorer's weights.

    Raises:
      UserError: as :func:`find_weights`; or the file is damaged, or holds no restorer.
    """
    return read_weights(find_weights(RESTORER, name_or_path, folder=folder), RESTORER)


def read_weights(path: Path, wanted: Kind) -> Weights:
    """Read a weights file of one kind.

    Raises:
      UserError: the weights are of another kind, or the file is damaged.
    """
    check_kind(path, wanted)
    read = weights.read(path)
    if read.network not in wanted.networks:
        known = ", ".join(sorted(wanted.networks))
        raise UserError(f"{path}: unknown network {read.network!r}; a {wanted.name} is: {known}")
    return dataclasses.replace(read, checked=is_copy(path))


def check_kind(path: Path, wanted: Kind, called: Path | None = None) -> None:
    """Check that a file does not hold weights of another kind.

    Args:
      called: what the error calls it, where that is not ``path``.

    Raises:
      UserError: it does; the message says which, and what command takes them.
    """
    network = weights.network_of(path)
    kind = kind_of(network)
    if kind not in (None, wanted):
        raise UserError(
            f"{called or path}: {kind.name} weights ({network}), not {wanted.name} weights; "
            f"{kind.command} takes them"
        )
