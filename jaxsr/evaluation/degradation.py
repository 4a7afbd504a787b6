"""What is done to originals before restorers and upscalers are measured on them."""

import dataclasses
import zlib
from collections.abc import Collection, Sequence

import numpy as np
from jaxtyping import UInt8

from jaxsr import codec
from jaxsr.data import degradations
from jaxsr.data.stages import Stage
from jaxsr.errors import UserError
from jaxsr.image.resize import imresize_uint8
from jaxsr.image.values import from_float, to_float

Image = UInt8[np.ndarray, "h w 3"]


@dataclasses.dataclass(frozen=True)
class Degradation:
    """How an original is degraded, in this order: blurred, reduced, made noisy, coded.

    Attributes:
      scale: the factor it is reduced by, as MATLAB does; it is upscaled again before it is
        compared.
      blur: standard deviation of a Gaussian blur, in pixels of the original.
      noise: standard deviation of Gaussian noise, in levels of 255.
      jpeg: quality of a JPEG file (4:2:0), 1 to 100; 0: none.
      codec: quality of a file of our codec, 1 to 100; 0: none.
    """

    scale: int = 1
    blur: float = 0.0
    noise: float = 0.0
    jpeg: int = 0
    codec: int = 0

    def __call__(
        self, original: Image, rng: np.random.Generator
    ) -> UInt8[np.ndarray, "rows columns 3"]:
        """Return the degraded image, of the original's size over ``scale``."""
        x = original
        if self.blur:
            blurred = degradations.gaussian_blur(to_float(x), self.blur, self.blur, 0.0)
            x = from_float(blurred)
        if self.scale > 1:
            x = imresize_uint8(x, 1 / self.scale)
        if self.noise:
            x = from_float(degradations.random_noise(to_float(x), self._stage(), rng)[0])
        if self.jpeg:
            x = from_float(degradations.random_jpeg(to_float(x), self._stage(), rng)[0])
        return codec.decode(codec.encode(x, self.codec)) if self.codec else x

    def _stage(self) -> Stage:
        return Stage(
            poisson=0.0,
            noise_sigma=(self.noise, self.noise),
            gray=0.0,
            quality=(max(1, self.jpeg), max(1, self.jpeg)),
        )


def generator(seed: int, *names: str) -> np.random.Generator:
    """Return a generator that depends on nothing but the seed and the names."""
    return np.random.default_rng([seed, zlib.crc32("/".join(names).encode())])


def check_names(names: Sequence[str], known: Collection[str]) -> None:
    """Raise UserError where a degradation's name is not a known one."""
    for name in names:
        if name not in known:
            raise UserError(f"unknown degradation {name!r}; there are: {', '.join(known)}")
