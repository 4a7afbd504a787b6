"""Images to compare as one HTML page, which holds them all and loads nothing from the network."""

import base64
import dataclasses
import html
import importlib.resources
import json
from collections.abc import Sequence

import numpy as np

from jaxsr.errors import UserError
from jaxsr.image import files, formats, metrics
from jaxsr.image.files import Picture
from jaxsr.image.pictures import rgb
from jaxsr.image.values import from_float, to_float


@dataclasses.dataclass(frozen=True)
class View:
    """One of the images that a page compares.

    Attributes:
      name: what it is called on the page.
      picture: the image; of 16 bits it is shown in 8.
      note: what is said of it, such as its :func:`figures`.
    """

    name: str
    picture: Picture
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Scene:
    """Images of one thing, of any sizes, of which a page shows any two beside each other."""

    name: str
    views: Sequence[View]


def page(title: str, scenes: Sequence[Scene]) -> str:
    """Write a page that compares images: a border to move, zoom and pan of both, differences.

    Smaller images of a scene are shown enlarged to the largest one's size.

    Raises:
      UserError: there is no scene, or one of fewer than two images.
    """
    if not scenes or min(len(scene.views) for scene in scenes) < 2:
        raise UserError("a page compares two images or more; give another one")
    described = json.dumps([_scene(scene) for scene in scenes], ensure_ascii=False)
    template = importlib.resources.files("jaxsr.image").joinpath("page.html")
    text = template.read_text(encoding="utf-8").replace("{{title}}", html.escape(title))
    # "<" as JSON's escape: no name can end the script element that the scenes stand in
    return text.replace("{{scenes}}", described.replace("<", "\\u003c"))


def figures(picture: Picture, original: Picture) -> str:
    """Say how close a picture comes to its original: PSNR of RGB in dB, and SSIM; alpha aside.

    Pictures of another size are not measured, which is said too.
    """
    size, wanted = picture.pixels.shape[:2], original.pixels.shape[:2]
    if size != wanted:
        return f"not measured: the original has {wanted[1]}×{wanted[0]} pixels"
    a, b = (rgb(to_float(each.pixels)) for each in (picture, original))
    if np.array_equal(a, b):
        return "identical to the original"
    told = f"{float(metrics.psnr(a, b)):.2f} dB"
    if min(size) < metrics.WINDOW:
        return told
    return f"{told}, SSIM {float(metrics.ssim(a, b)):.4f}"


def _scene(scene: Scene) -> dict:
    return {"name": scene.name, "views": [_view(view) for view in scene.views]}


def _view(view: View) -> dict:
    height, width = view.picture.pixels.shape[:2]
    deep = ["16 bits, shown in 8"] if view.picture.pixels.dtype == np.uint16 else []
    return {
        "name": view.name,
        "note": " · ".join([*filter(None, [view.note]), *deep]),
        "width": width,
        "height": height,
        "src": "data:image/png;base64," + base64.b64encode(_png(view.picture)).decode(),
    }


def _png(picture: Picture) -> bytes:
    """Encode the picture as a PNG file of 8 bits a channel, with its ICC profile."""
    pixels = from_float(to_float(picture.pixels))
    alpha = None if picture.alpha is None else from_float(to_float(picture.alpha))
    return files.encode(formats.format_of_suffix(".png"), Picture(pixels, alpha, picture.icc))
