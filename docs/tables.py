"""Tables of figures in the pages and cards, made from the JSON files of ``eval.py`` and benchmarks.

    python docs/tables.py                 writes the tables anew
    python docs/tables.py --take FILE…    keeps files of eval.py in docs/figures, the means alone

A table stands between ``<!-- table NAME -->`` and ``<!-- end -->``; NAME is one of ``TABLES``.
"""

import argparse
import functools
import itertools
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parent.parent
FIGURES = REPO / "docs" / "figures"
WRITTEN = ("models", "devices", "training")  # pages of docs/ that have tables
PAGES = (
    *(REPO / "docs" / f"{name}.md" for name in WRITTEN),
    *sorted((REPO / "jaxsr/zoo").glob("*.md")),
)
TABLE = re.compile(r"(<!-- table (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
# what is left out: long lists that no table shows
EACH = ("images", "precision", "recall", "published", "against_published")

SCALES = 2, 3, 4
SETS = {"set5": "Set5", "set14": "Set14", "bsd100": "B100"}
PHOTOGRAPHS = {"bsd100": "B100", "ecssd": "ECSSD"}  # what is enlarged degraded, too
INPUTS = {  # of reduced images
    "clean": "clean",
    "noise": "noise σ 8",
    "jpeg": "JPEG 50",
    "blur": "blur σ 1.2",
    "mix": "blur 0.8, noise 5, JPEG 60",
}
UPSCALERS = {  # scale → figures' name, parameters, and the paper's PSNR on Set5
    2: (("span-compact", "184K", ""), ("pan", "261K", "38.00"), ("rlfn", "527K", "38.07")),
    3: (("span-compact", "189K", ""), ("pan", "261K", "34.40")),
    4: (("span-compact", "195K", ""), ("pan", "272K", "32.13"), ("rlfn", "544K", "32.24")),
}
TITLES = {
    "span-compact": "**span-compact** (released)",
    "pan": "PAN, its published weights",
    "rlfn": "RLFN, its published weights",
}
METHODS = {
    "segmenter": "**attention-unet** (released)",
    "centred Gaussian": "a Gaussian in the middle",
    "everything": "the whole image",
}
DEGRADATIONS = {
    "x4": "×4 (clean)",
    "x4-noise": "×4, noise σ 8",
    "x4-jpeg": "×4, JPEG 50",
    "x2": "×2 (clean)",
    "x2-noise": "×2, noise σ 8",
    "x2-jpeg": "×2, JPEG 50",
    "blur": "blur σ 1.5",
    "noise": "noise σ 15",
    "jpeg": "JPEG 30",
    "codec": "our codec, quality 20",
}
CODECS = {  # a curve's name → what it is called beside ours
    "jaxsr": "**patch-hyperprior** (released)",
    "AVIF": "AVIF (Pillow)",
    "WebP": "WebP (Pillow)",
    "JPEG XL": "JPEG XL (imagecodecs, effort 7)",
    "bmshj2018-factorized": "bmshj2018-factorized (published)",
    "bmshj2018-hyperprior": "bmshj2018-hyperprior (published)",
    "BPG 8b 444 x265 ycbcr": "BPG (published)",
    "VTM": "VTM (published)",
}
PRECISION = {  # task → what its score is
    "super-resolution": "upscaler ×4, PSNR of Y",
    "compression": "codec, PSNR at the same bits",
    "restoration": "restorer, gain inside the region",
    "segmentation": "segmenter, max-Fβ",
}

TPUS = "v5e", "v5p", "v6e"
COUNTS = 1, 8, 256  # chips


def figures(name: str) -> Any:
    """Read the figures of ``docs/figures/NAME.json``."""
    return json.loads((FIGURES / f"{name}.json").read_text("utf-8"))


def by_inputs(name: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Return an upscaler's figures by set and by how its reduced images were degraded."""
    return {(one["name"], one.get("inputs", "clean")): one for one in figures(name)["sets"]}


def scores(name: str, which: str) -> list[str]:
    """Return PSNR and SSIM on each of the sets, of clean images."""
    measured = by_inputs(name)
    return [score(measured[one, "clean"][which]) for one in SETS]


def score(mean: dict[str, float]) -> str:
    """Return PSNR and SSIM of Y as ``37.480 / .9589``."""
    return f"{mean['psnr_y']:.3f} / {fraction(mean['ssim_y'])}"


def clean(name: str) -> Iterator[str]:
    """Yield a line a set and scale: the table of an upscaler's card, of clean images."""
    yield row("set", "this network", "bicubic")
    yield "|---|---|---|"
    for scale in SCALES:
        file = f"{name}-x{scale}"
        pairs = zip(scores(file, "mean"), scores(file, "bicubic_mean"), strict=True)
        for title, pair in zip(SETS.values(), pairs, strict=True):
            yield row(f"{title} ×{scale}", *pair)


def upscalers() -> Iterator[str]:
    """Yield a line for every model and scale, beside bicubic's."""
    yield row("model", "parameters", "scale", *SETS.values(), "published")
    yield "|---|--:|---|---|---|---|---|"
    for scale, models in UPSCALERS.items():
        times = f"×{scale}"
        bicubic = scores(f"span-compact-x{scale}", "bicubic_mean")
        yield row("bicubic", "–", times, *bicubic, "")
        for name, parameters, published in models:
            measured = scores(f"{name}-x{scale}", "mean")
            yield row(TITLES[name], parameters, times, *measured, published)


def photographs(sets: Mapping[str, str], scales: Sequence[int]) -> Iterator[str]:
    """Yield a line a scale, set and way in which reduced images were degraded."""
    yield row("set", "reduced image", "bicubic", "span-compact", "span-photo")
    yield "|---|---|---|---|---|"
    for scale, (name, title) in itertools.product(scales, sets.items()):
        compact, photo = (by_inputs(f"{name}-x{scale}") for name in ("span-compact", "span-photo"))
        for inputs, what in INPUTS.items():
            one = photo[name, inputs]
            means = one["bicubic_mean"], compact[name, inputs]["mean"], one["mean"]
            yield row(f"{title} ×{scale}", what, *map(score, means))


def segmenter() -> Iterator[str]:
    """Yield the segmenter's line and those of what needs no weights."""
    (measured,) = figures("attention-unet")["sets"]
    count = measured["saliency"][0]["count"]
    yield row(f"{count} images of ECSSD", "MAE", "max-Fβ", "S-measure", "IoU at 0.5")
    yield "|---|--:|--:|--:|--:|"
    for method in measured["saliency"]:
        cells = (fraction(method[name]) for name in ("mae", "max_f", "s_measure", "iou"))
        yield row(METHODS[method["method"]], *cells)


def restorer() -> Iterator[str]:
    """Yield a line a degradation: PSNR by place, and what restoring adds to it."""
    (measured,) = figures("window-restorer")["sets"]
    count = measured["quality"][0]["count"]
    places = "inside", "restored", f"worse, of {count}", "outside", "restored", "whole", "restored"
    yield row("input", *places)
    yield "|---|--:|--:|--:|--:|--:|--:|--:|"
    for one in measured["quality"]:
        level, gain = (
            [one["mean"][place][which]["psnr"] for place in ("inside", "outside", "whole")]
            for which in ("global", "gain")
        )
        pairs = [(f"{a:.3f}", signed(b)) for a, b in zip(level, gain, strict=True)]
        inside = pairs[0][0], f"**{pairs[0][1]}**", str(one["images_worse_inside"])
        yield row(DEGRADATIONS[one["degradation"]], *inside, *pairs[1], *pairs[2])


def codec() -> Iterator[str]:
    """Yield a line a quality: the card's own table."""
    (measured,) = figures("patch-hyperprior")["sets"]
    yield row("quality", "bytes", "bpp", "PSNR", "MS-SSIM", "encode, ms", "decode, ms")
    yield "|--:|--:|--:|--:|--:|--:|--:|"
    (points,) = (one["points"] for one in measured["codecs"] if one["name"] == "jaxsr")
    for point in points:
        mean = point["mean"]
        times = (f"{1e3 * mean[f'{which}_seconds']:.0f}" for which in ("encode", "decode"))
        sizes = f"{mean['bytes']:.0f}", f"{mean['bpp']:.4f}"
        yield row(
            str(point["quality"]), *sizes, f"{mean['psnr']:.3f}", f"{mean['ms_ssim']:.4f}", *times
        )


def codecs() -> Iterator[str]:
    """Yield a line for every codec, measured or published: BD figures against JPEG."""
    (measured,) = figures("patch-hyperprior")["sets"]
    yield row("", "BD-rate", "BD-PSNR")
    yield "|---|--:|--:|"
    # of one name the measured curve comes first
    against = {one["codec"]: one for one in reversed(measured["against_anchor"])}
    for name, title in CODECS.items():
        rate, psnr = against[name]["bd_rate_percent"], against[name]["bd_psnr_db"]
        yield row(title, f"{signed(rate, 1)} %", f"{signed(psnr, 2)} dB")


def precision() -> Iterator[str]:
    """Yield a line a task: what trainings in float32 and bfloat16 end with."""
    yield row("task", "steps", "float32", "bfloat16", "difference", "of another seed")
    yield "|---|--:|--:|--:|--:|--:|"
    for task, measured in figures("precision").items():
        scores = measured["scores"]
        level = scores["float32"]
        apart = (signed(scores[run] - level) for run in ("bfloat16", "other seed"))
        both = (f"{scores[run]:.3f}" for run in ("float32", "bfloat16"))
        yield row(PRECISION[task], str(measured["steps"]), *both, *apart)


def tpu(*, steps: bool) -> dict[tuple[str, str], dict[tuple[str, int], dict[str, Any]]]:
    """Return the rows of ``benchmarks/tpu.py`` on training steps, or on using networks.

    They are grouped by network and program, and in a group by the kind of chip and how many.
    """
    groups: dict[tuple[str, str], dict] = {}
    for one in figures("tpu"):
        if (one["program"] == "step") == steps:
            group = groups.setdefault((one["network"], one["program"]), {})
            group[chips_of(one["topology"])] = one
    return groups


def chips_of(topology: str) -> tuple[str, int]:
    """Return the kind of chip and how many: ``("v5e", 16)`` of ``v5e:4x4``."""
    kind, _, sides = topology.partition(":")
    return kind, math.prod(map(int, sides.split("x")))


def tpu_uses() -> Iterator[str]:
    """Yield a line for every program that using a network runs, with its bound on each chip."""
    yield row("network", "program", "GFLOP", "memory", *(f"{kind}, ms" for kind in TPUS))
    yield "|---|---|--:|--:|--:|--:|--:|"
    for (network, program), chips in tpu(steps=False).items():
        first = chips.get((TPUS[0], 1), {})
        flops = rounded(first["flops"] / 1e9) if "flops" in first else "–"
        bounds = (bound(chips.get((kind, 1))) for kind in TPUS)
        yield row(network, program, flops, memory_of(first), *bounds)


def tpu_steps() -> Iterator[str]:
    """Yield a line for every training step: its memory, and its bound on 1, 8 and 256 chips."""
    yield row("network", "memory", *(f"{kind}, ms" for kind in TPUS), "all-reduce")
    yield "|---|--:|--:|--:|--:|--:|"
    for (network, _), steps in tpu(steps=True).items():
        first = steps.get((TPUS[0], 1), {})
        cells = ([bound(steps[kind, n]) for n in COUNTS if (kind, n) in steps] for kind in TPUS)
        bounds = (" / ".join(cell) or "–" for cell in cells)
        yield row(network, memory_of(first), *bounds, exchanged(list(steps.values())))


def exchanged(programs: list[dict[str, Any]]) -> str:
    """Return the bytes that chips exchange in a step, the same on any number of them."""
    sizes = {count[1] for one in programs for count in one.get("collectives", {}).values()}
    return f"{max(sizes) / 1e6:.3g} MB" if sizes else "–"


def bound(one: dict[str, Any] | None) -> str:
    """Return a program's least time in milliseconds, in italics where arithmetic bounds it."""
    if one is None or "bound" not in one:
        return "–"
    time = f"{1e3 * one['bound']:.3g}"
    return f"*{time}*" if one["by"] == "arithmetic" else time


def rounded(value: float) -> str:
    """Return a number with three digits that count: ``5,790`` of 5789.1."""
    return f"{float(f'{value:.3g}'):,g}"


def memory_of(one: dict[str, Any]) -> str:
    """Return the memory that a program needs, in MiB, or in GiB from one on."""
    if "memory" not in one:
        return "–"
    size = one["memory"]
    return f"{size / 2**30:.3g} GiB" if size >= 2**30 else f"{size / 2**20:.3g} MiB"


TABLES: dict[str, Callable[[], Iterator[str]]] = {
    "span-compact": functools.partial(clean, "span-compact"),
    "span-photo": functools.partial(clean, "span-photo"),
    "upscalers": upscalers,
    "degraded": functools.partial(photographs, PHOTOGRAPHS, SCALES),
    "degraded-b100": functools.partial(photographs, {"bsd100": "B100"}, (2, 4)),
    "segmenter": segmenter,
    "restorer": restorer,
    "codec": codec,
    "codecs": codecs,
    "precision": precision,
    "tpu-uses": tpu_uses,
    "tpu-steps": tpu_steps,
}


def row(*cells: str) -> str:
    """Return a line of a Markdown table."""
    return f"| {' | '.join(cells)} |".replace("|  |", "| |")


def fraction(value: float) -> str:
    """Return a number of 0 to 1 with four digits, without its zero."""
    return f"{value:.4f}".removeprefix("0")


def signed(value: float, digits: int = 3) -> str:
    """Return a number with its sign and so many digits; minus as the typographic one."""
    return f"{value:+z.{digits}f}".replace("-", "−")


def with_tables(text: str) -> str:
    """Return a page's text with its tables made anew."""
    return TABLE.sub(lambda m: f"{m[1]}{chr(10).join(TABLES[m[2]]())}\n{m[3]}", text)


def without_images(value: Any) -> Any:
    """Return a report without figures of single images, numbers with eight digits that count.

    How many images there were is the ``count``.
    """
    if isinstance(value, float):
        return float(f"{value:.8g}")
    if isinstance(value, list):
        return [without_images(one) for one in value]
    if not isinstance(value, dict):
        return value
    kept = {key: without_images(one) for key, one in value.items() if key not in EACH}
    return kept | ({"count": len(value["images"])} if "images" in value else {})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--take", nargs="+", type=Path, default=[], metavar="FILE")
    for path in parser.parse_args().take:
        report = without_images(json.loads(path.read_text("utf-8")))
        text = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
        (FIGURES / path.name).write_text(text, "utf-8")
    for page in PAGES:
        page.write_text(with_tables(page.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
