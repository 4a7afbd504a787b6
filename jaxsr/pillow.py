"""A plugin for Pillow: after ``import jaxsr.pillow`` it opens and saves ``.jsr`` files.

::

    import jaxsr.pillow
    from PIL import Image

    Image.open("photo.png").save("photo.jsr", quality=60)
    image = Image.open("photo.jsr")  # size, mode, ICC profile and EXIF; no pixel is decoded yet

Whatever else opens files through Pillow, such as ``imageio.v3``, then opens them, too. JAX is
imported when the first ``.jsr`` file is opened or saved.
"""

import io
import os
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageFile, UnidentifiedImageError

from jaxsr.errors import UserError

if TYPE_CHECKING:
    import jax
    import numpy as np

    from jaxsr.codec import Enlarger, Model

FORMAT = "JSR"
MAGIC = b"\x89JSR"  # jaxsr.codec.container.MAGIC, which is not imported before there is a file
# Modes that are not stored as they are but convert without loss; any alpha is added.
EXACT = {"1": "L", "L": "L", "LA": "L", "P": "RGB", "PA": "RGB"}
EXACT |= {"RGB": "RGB", "RGBA": "RGB", "RGBX": "RGB"}
# Keywords of ``Image.save`` that jaxsr.codec.encode gets; others are ignored, as by all plugins.
OPTIONS = ("quality", "bpp", "max_bytes", "target_psnr", "target_msssim")
OPTIONS += ("roi", "roi_gain", "mode", "model", "upscaler", "segmenter")


class JsrImageFile(ImageFile.ImageFile):
    """A ``.jsr`` file as an image of mode L, LA, RGB or RGBA, decoded when its pixels are needed.

    ``info`` has ``icc_profile`` and ``exif`` where the file has them, and the ``quality`` it was
    saved with, unless that was given in another way.
    """

    format = FORMAT
    format_description = "jaxsr's learned codec"

    def _open(self) -> None:
        from jaxsr.codec import container

        assert self.fp is not None
        self._data = self.fp.read()
        try:
            layout = container.inspect(self._data)
        except UserError as error:  # of another version
            raise UnidentifiedImageError(str(error)) from None
        if layout.header is None:
            raise UnidentifiedImageError(layout.problem)
        self._problem, header = layout.problem, layout.header
        self._size = header.width, header.height
        self._mode = ("L" if header.channels == 1 else "RGB") + "A" * ("alpha" in layout.sections)
        self.tile = [ImageFile._Tile("raw", (0, 0, *self.size), 0, self.mode)]
        if self._problem is None:
            icc, exif = container.metadata(layout)
            known = {"icc_profile": icc, "exif": exif, "quality": header.quality}
            self.info |= {name: value for name, value in known.items() if value}

    def load(
        self,
        *,
        model: "str | os.PathLike | Model | None" = None,
        upscaler: "str | os.PathLike | Enlarger | None" = None,
        entropy_device: "str | jax.Device | None" = None,
    ) -> Any:
        """Decode the pixels, unless they are.

        With ``PIL.ImageFile.LOAD_TRUNCATED_IMAGES`` the tiles of a damaged file that are not whole
        are gray.

        Args:
          model, upscaler, entropy_device: as for :func:`jaxsr.codec.decode`. A file that was made
            with weights of your own needs them here, before its pixels are used.

        Raises:
          OSError: the file is damaged or truncated, or made with weights that are not here.
        """
        if self.tile:
            from jaxsr import codec
            from jaxsr.codec.decoding import as_array

            networks = {"model": model, "upscaler": upscaler, "entropy_device": entropy_device}
            try:
                if ImageFile.LOAD_TRUNCATED_IMAGES:
                    pixels = as_array(codec.decode_partial(self._data, **networks).picture)
                else:
                    pixels = codec.decode(self._data, **networks)
            except UserError as error:
                raise OSError(str(error)) from None
            if self.fp and self._exclusive_fp:
                self.fp.close()
            self.fp, self._data = io.BytesIO(pixels.tobytes()), b""
        return super().load()

    def load_seek(self, pos: int) -> None:
        """Stay: the pixels that were decoded begin where they are."""

    def verify(self) -> None:
        """Check that the file is whole, without decoding it.

        Raises:
          OSError: it is damaged or truncated.
        """
        if self._problem is not None:
            raise OSError(self._problem)
        super().verify()


def _accept(prefix: bytes) -> bool:
    """Return True if a file that begins so is a ``.jsr`` file."""
    return prefix.startswith(MAGIC)


def _save(image: Image.Image, fp: Any, filename: str | bytes) -> None:
    """Write an image as Pillow asks to; ``image.encoderinfo`` has the keywords of ``save``.

    Raises:
      OSError: the image's mode is none that the format holds without loss.
      UserError: a keyword's value is not what :func:`jaxsr.codec.encode` takes.
    """
    from jaxsr import codec
    from jaxsr.image.decoding import Decoded, exif_of, upright
    from jaxsr.image.files import Picture

    info: dict[str, Any] = getattr(image, "encoderinfo", {})
    pixels, alpha = _planes(image)
    # as Pillow's own formats: the profile unless told otherwise, EXIF only if it is given
    icc = info.get("icc_profile", image.info.get("icc_profile"))
    exif = info.get("exif") or b""
    tags = exif_of(exif.tobytes() if isinstance(exif, Image.Exif) else exif)
    whole = upright(Decoded(pixels, alpha, icc or None), tags)
    picture = Picture(whole.pixels, whole.alpha, whole.icc, whole.exif)
    options = {name: info[name] for name in OPTIONS if info.get(name) is not None}
    fp.write(codec.encode(picture, keep_metadata=True, **options))


def _planes(image: Image.Image) -> "tuple[np.ndarray, np.ndarray | None]":
    """Return an image's colours ``(h, w, 1 or 3)`` and alpha ``(h, w)``, if it has any."""
    import numpy as np

    if image.mode not in EXACT:
        raise OSError(
            f"cannot write mode {image.mode} as {FORMAT}; convert it to L, LA, RGB or RGBA first"
        )
    mode = EXACT[image.mode] + ("A" if image.has_transparency_data else "")
    pixels = np.atleast_3d(np.asarray(image if image.mode == mode else image.convert(mode)))
    return (pixels[..., :-1], pixels[..., -1]) if mode[-1] == "A" else (pixels, None)


Image.register_open(FORMAT, JsrImageFile, _accept)
Image.register_save(FORMAT, _save)
Image.register_extension(FORMAT, ".jsr")
Image.register_mime(FORMAT, "image/x-jsr")
