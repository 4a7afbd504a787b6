"""Pixels, nothing learned: files, values, colour, resizing, metrics.

What users need is here by name, imported when it is first used: the command line imports
:mod:`jaxsr.image.files` without JAX, which resizing and metrics need. The other modules serve the
package itself.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxsr.image.colour import rgb_to_y, rgb_to_ycbcr, ycbcr_to_rgb
    from jaxsr.image.files import Picture, decode, read, write
    from jaxsr.image.folders import find_images
    from jaxsr.image.metrics import ms_ssim, psnr, ssim
    from jaxsr.image.resize import imresize, imresize_uint8
    from jaxsr.image.values import from_float, to_float

__all__ = [
    "Picture",
    "decode",
    "find_images",
    "from_float",
    "imresize",
    "imresize_uint8",
    "ms_ssim",
    "psnr",
    "read",
    "rgb_to_y",
    "rgb_to_ycbcr",
    "ssim",
    "to_float",
    "write",
    "ycbcr_to_rgb",
]

_MODULES = {
    "colour": ("rgb_to_y", "rgb_to_ycbcr", "ycbcr_to_rgb"),
    "files": ("Picture", "decode", "read", "write"),
    "folders": ("find_images",),
    "metrics": ("ms_ssim", "psnr", "ssim"),
    "resize": ("imresize", "imresize_uint8"),
    "values": ("from_float", "to_float"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
