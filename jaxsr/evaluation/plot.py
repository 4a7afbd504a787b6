"""Curves as pictures: rate–distortion, precision–recall. Needs matplotlib (the extra ``plot``)."""

import io
from collections.abc import Sequence
from typing import Any

from jaxsr.errors import UserError
from jaxsr.evaluation.codecs import bd
from jaxsr.evaluation.regions import saliency

COLOURS = ("#c1272d", "#0b6fb8", "#2c8c3c", "#e08a1e", "#7b4ea3", "#555555")
BPP_TICKS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5)


def check_available() -> None:
    """Raise UserError where matplotlib isn't installed; it says how to get it."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise UserError(
            "plots need matplotlib, which is not installed: pip install 'jaxsr[plot]', or leave"
            " --config.plot out"
        ) from None


def rate_distortion(
    title: str, curves: Sequence[bd.Curve], published: Sequence[bd.Curve] = ()
) -> bytes:
    """Draw PSNR over bits per pixel; return the bytes of a PNG file.

    Measured curves are bold, their points marked; published ones are thin, and shown as far as the
    measured ones reach. Rate is logarithmic: an equal saving is an equal distance.
    """
    figure = _figure(10.0, 6.5)
    axes = figure.add_subplot(title=title, xlabel="bits per pixel (log)", ylabel="PSNR, RGB (dB)")
    axes.set_xscale("log")
    for i, curve in enumerate(curves):
        style = {"color": COLOURS[i % len(COLOURS)], "zorder": 3 + len(curves) - i}
        axes.plot(curve.bpp, curve.psnr, "o-", linewidth=2, markersize=4, label=curve.name, **style)
    axes.set(xlim=axes.get_xlim(), ylim=axes.get_ylim())  # the view is that of the measured curves
    for i, curve in enumerate(published):
        shade = 0.25 + 0.5 * i / max(1, len(published) - 1)
        dashes = ((0, (6, 2)), (0, (2, 2)), (0, (6, 2, 2, 2)), (0, (1, 1)))[i % 4]
        axes.plot(
            *(curve.bpp, curve.psnr),
            **{"linewidth": 1.1, "color": str(shade), "linestyle": dashes},
            label=f"{curve.name} (published)",
        )
    low, high = axes.get_xlim()
    axes.set_xticks([tick for tick in BPP_TICKS if low <= tick <= high], minor=False)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")
    axes.grid(which="major", color="0.88")
    figure.legend(loc="outside right upper", frameon=False, fontsize=9)
    return _png(figure)


def precision_recall(title: str, results: Sequence[saliency.MaskScores]) -> bytes:
    """Draw precision over recall, a dot where Fβ is largest; return the bytes of a PNG file."""
    figure = _figure(6.5, 6.0)
    axes = figure.add_subplot(title=title, xlabel="recall", ylabel="precision")
    for i, result in enumerate(results):
        best = saliency.f_measure(result.precision, result.recall).argmax()
        colour = COLOURS[i % len(COLOURS)]
        label = f"{result.method} (max-Fβ {result.max_f:.3f})"
        axes.plot(result.recall, result.precision, "-", color=colour, label=label)
        axes.plot(result.recall[best], result.precision[best], "o", color=colour)
    axes.set(xlim=(0, 1.01), ylim=(0, 1.01))
    axes.grid(color="0.88")
    axes.legend(loc="lower left", frameon=False)
    return _png(figure)


def _figure(width: float, height: float) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _png(figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()
