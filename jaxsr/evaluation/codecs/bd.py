"""Bjøntegaard deltas: how far apart two rate–distortion curves lie on average, as one figure.

Source: Bjøntegaard, "Calculation of average PSNR differences between RD-curves", VCEG-M33 (2001);
with monotone piecewise cubics (pchip) in place of one cubic, as JVET's and CompressAI's tools do.
"""

import dataclasses
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from scipy.interpolate import PchipInterpolator

from jaxsr.errors import UserError

Values = Sequence | Float[np.ndarray, "_"]  # a number for each point of a curve, in any order


@runtime_checkable
class Curve(Protocol):
    """Mean rates (bits per pixel) and mean PSNRs (dB) of a codec, measured here or published."""

    @property
    def name(self) -> str:
        """Name of the codec."""
        ...

    @property
    def bpp(self) -> Sequence[float]:
        """Rate of each point, in bits per pixel."""
        ...

    @property
    def psnr(self) -> Sequence[float]:
        """PSNR of each point, in dB."""
        ...


@dataclasses.dataclass(frozen=True)
class Delta:
    """How far a curve lies from an anchor.

    Attributes:
      name: the curve's.
      anchor: the name of what it is compared with.
      rate: :func:`bd_rate`, in percent.
      psnr: :func:`bd_psnr`, in dB.
      shared: lowest and highest PSNR that both reach, over which ``rate`` is averaged; None: they
        share none.
    """

    name: str
    anchor: str
    rate: float
    psnr: float
    shared: tuple[float, float] | None


def delta(curve: Curve, anchor: Curve) -> Delta:
    """Return how far ``curve`` lies from ``anchor``."""
    points = curve.bpp, curve.psnr, anchor.bpp, anchor.psnr
    shared = shared_range(curve.psnr, anchor.psnr)
    return Delta(curve.name, anchor.name, bd_rate(*points), bd_psnr(*points), shared)


def bd_rate(rates: Values, psnrs: Values, anchor_rates: Values, anchor_psnrs: Values) -> float:
    """Return the mean change of the rate at equal PSNR, in percent; below 0 is better.

    Log-rate is interpolated over PSNR; the difference is averaged over the PSNRs that both reach.

    Args:
      rates: a curve's rates in any unit (such as bits per pixel), above 0.
      psnrs: a PSNR in dB for each rate; points of infinite PSNR (exact copies) are left out.
      anchor_rates: the rates of the curve to compare with.
      anchor_psnrs: its PSNRs.

    Returns:
      A percentage, or ``nan`` where the curves share no range of PSNR, as curves of one point.

    Raises:
      UserError: rates and PSNRs differ in number, a rate is not above 0, or a PSNR is no number.
    """
    curve, anchor = _points(rates, psnrs), _points(anchor_rates, anchor_psnrs)
    difference = _mean_difference(
        *(_knots(over=psnr, of=rate, best=min) for rate, psnr in (curve, anchor))
    )
    return float(100 * np.expm1(difference))


def bd_psnr(rates: Values, psnrs: Values, anchor_rates: Values, anchor_psnrs: Values) -> float:
    """Return the mean gain of PSNR at equal rate, in dB; above 0 is better.

    PSNR is interpolated over log-rate; the difference is averaged over the rates that both reach.
    Arguments, ``nan`` and errors are those of :func:`bd_rate`.
    """
    curve, anchor = _points(rates, psnrs), _points(anchor_rates, anchor_psnrs)
    return _mean_difference(
        *(_knots(over=rate, of=psnr, best=max) for rate, psnr in (curve, anchor))
    )


def shared_range(a: Values, b: Values) -> tuple[float, float] | None:
    """Return the lowest and the highest finite value that both series reach, or None."""
    a, b = (np.asarray(x, np.float64) for x in (a, b))
    a, b = a[np.isfinite(a)], b[np.isfinite(b)]
    if not (a.size and b.size):
        return None
    low, high = max(a.min(), b.min()), min(a.max(), b.max())
    return (float(low), float(high)) if low < high else None


Points = tuple[Float[np.ndarray, "_"], Float[np.ndarray, "_"]]


def _points(rates: Values, psnrs: Values) -> Points:
    """Return log-rates and PSNRs of the points of finite PSNR."""
    rates, psnrs = np.asarray(rates, np.float64), np.asarray(psnrs, np.float64)
    if rates.shape != psnrs.shape:
        raise UserError(f"a curve needs a PSNR for each rate, got {psnrs.size} for {rates.size}")
    if not (np.isfinite(rates).all() and (rates > 0).all()):
        raise UserError(f"rates must be finite and above 0, got {rates.tolist()}")
    if np.isnan(psnrs).any():
        raise UserError(f"PSNRs must be numbers, got {psnrs.tolist()}")
    finite = np.isfinite(psnrs)
    return np.log(rates[finite]), psnrs[finite]


def _knots(*, over: np.ndarray, of: np.ndarray, best) -> Points:
    """Return the points in the order of ``over``; of those that share it, the best ``of``."""
    x = np.unique(over)
    return x, np.array([best(of[over == value]) for value in x])


def _mean_difference(curve: Points, anchor: Points) -> float:
    """Return the mean of curve − anchor over the x that both cover; nan where there is none."""
    shared = shared_range(curve[0], anchor[0])
    if shared is None:
        return float("nan")
    low, high = shared
    areas = [PchipInterpolator(*points).integrate(low, high) for points in (curve, anchor)]
    return float((areas[0] - areas[1]) / (high - low))
