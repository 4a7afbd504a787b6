"""The options of real-world degradations: chances and ranges of what is drawn."""

import dataclasses

import ml_collections

from jaxsr.data.resampling import KERNELS
from jaxsr.errors import UserError

LIMITS = {  # of the ranges of a stage
    "blur_sigma": (0, 100),
    "resize_factor": (0.01, 10),
    "noise_sigma": (0, 255),
    "photons": (1, 1e9),
    "quality": (1, 100),
}
Range = tuple[float | int, float | int]


@dataclasses.dataclass(frozen=True)
class Stage:
    """Chances (in [0, 1]) and ranges of one stage; the defaults are those of Real-ESRGAN's first.

    Raises:
      UserError: a chance is not in [0, 1], or a range not within its limits.
    """

    blur: float = 1.0  # chance of a Gaussian blur
    blur_sigma: Range = (0.2, 3.0)  # its standard deviation in pixels
    anisotropic: float = 0.5  # chance that it has another one along another direction
    resize: float = 1.0  # chance of a resize
    resize_factor: Range = (0.15, 1.5)  # of height and width, log-uniform
    kernels: tuple[str, ...] = tuple(KERNELS)  # one of these
    noise: float = 1.0  # chance of noise
    poisson: float = 0.5  # chance that it is shot noise; Gaussian otherwise
    noise_sigma: Range = (1.0, 30.0)  # of Gaussian noise, in levels of 255
    photons: Range = (30.0, 30_000.0)  # that white stands for in shot noise, log-uniform
    gray: float = 0.4  # chance of one noise for the three channels
    jpeg: float = 1.0  # chance of a JPEG
    quality: Range = (30, 95)  # of it, 1..100, drawn from the whole numbers

    def __post_init__(self):
        for name in ("blur", "anisotropic", "resize", "noise", "poisson", "gray", "jpeg"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"{name} is {getattr(self, name)}; give a chance in [0, 1]")
        for name, (smallest, largest) in LIMITS.items():
            low, high = getattr(self, name)
            if not smallest <= low <= high <= largest:
                raise UserError(
                    f"{name} is ({low}, {high}); give a range (low, high) within "
                    f"[{smallest}, {largest}]"
                )
        if not self.kernels or set(self.kernels) - set(KERNELS):
            raise UserError(f"kernels are {self.kernels}; give some of {', '.join(KERNELS)}")


SECOND = Stage(
    blur=0.8,
    blur_sigma=(0.2, 1.5),
    resize_factor=(0.3, 1.2),
    noise_sigma=(1.0, 25.0),
    photons=(40.0, 30_000.0),
)


def default_config() -> ml_collections.ConfigDict:
    """Return ``stages`` (1 or 2), and the options of each stage."""
    first, second = dataclasses.asdict(Stage()), dataclasses.asdict(SECOND)
    return ml_collections.ConfigDict({"stages": 1, "first": first, "second": second})
