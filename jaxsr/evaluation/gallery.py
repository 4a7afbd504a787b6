"""What an evaluation made as a page to look at: ``config.report``, for every task."""

from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import UInt8

from jaxsr.atomic import write_bytes
from jaxsr.evaluation.options import check_output
from jaxsr.image.files import Picture
from jaxsr.image.page import Scene, View, figures, page

Pixels = UInt8[np.ndarray, "h w _"]
MOST = 300_000_000  # bytes of pixels: browsers hold such a page, and hardly a larger one


class Gallery:
    """Collects images, scene by scene, and writes them as one page; without a path it does nothing.

    Attributes:
      left_out: how many images came when the page was full.
    """

    def __init__(self, path: str, title: str):
        """``path`` is ``config.report``: an HTML file, or empty.

        Raises:
          UserError: no file can be written there.
        """
        check_output(path, "report", ".html")
        self._path, self._title = path, title
        self._scenes: dict[str, list[View]] = {}
        self._bytes = 0
        self.left_out = 0

    def add(self, scene: str, name: str, pixels: Pixels, note: str = "") -> None:
        """Add an image to a scene, which it begins if need be."""
        if not self._path:
            return
        if self._bytes + pixels.nbytes > MOST:
            self.left_out += 1
            return
        self._bytes += pixels.nbytes
        self._scenes.setdefault(scene, []).append(View(name, Picture(pixels), note))

    def compare(self, scene: str, images: Mapping[str, Pixels], original: Pixels) -> None:
        """Add images with how close each comes to their original, and that."""
        if not self._path:
            return
        truth = Picture(original)
        for name, pixels in images.items():
            self.add(scene, name, pixels, figures(Picture(pixels), truth))
        self.add(scene, "original", original)

    def write(self) -> None:
        """Write the page, and say where it is and what is not on it."""
        scenes = [Scene(name, views) for name, views in self._scenes.items() if len(views) > 1]
        if not scenes:
            return
        write_bytes(self._path, page(self._title, scenes).encode())
        rest = f", {self.left_out} more did not fit (take fewer by --config.limit)"
        count = sum(len(scene.views) for scene in scenes)
        print(f"{self._path}: {count} images to compare{rest if self.left_out else ''}")


def all_of(*callbacks: Callable[..., None] | None) -> Callable[..., None] | None:
    """Join callbacks of the same arguments into one; None where there is none."""
    there = [callback for callback in callbacks if callback is not None]
    if not there:
        return None

    def call(*arguments) -> None:
        for callback in there:
            callback(*arguments)

    return call
