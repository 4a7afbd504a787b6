"""The released weights, made anew on whatever is at hand, in the minutes that there are.

    python train.py --config=configs/weights.py --workdir=runs/weights --config.minutes=12 \\
        --config.data=DIR[,DIR…] [--config.masked=DIR] [--config.parts=upscaler_x4,codec]

or ``make weights MINUTES=12 DATA=DIR[,DIR…]``. The minutes are split over the parts by their
shares. A part's schedule gets the length that the speed of its first hundred steps allows. Killed
at any time, the same command goes on. In the working directory every part has a folder, with its
checkpoints and logs, and a weights file; ``weights.json`` has what was measured.

DIR has photographs; ``config.masked`` images and masks (see ``configs/roi/segment.py``), without
which there is no segmenter. The folders of ``config.evaluate`` are measured on, where they are
given: ``sr`` (as Set5), ``codec`` (as Kodak) and ``regions`` (with masks).

On 2 CPU cores, 6 minutes show that all works, no more: ``docs/weights.md`` has figures.
"""

from pathlib import Path
from typing import Any

import ml_collections

from jaxsr.training.config import config_of

HERE = Path(__file__).parent
UPSCALER_BATCH = {0: 8, 14: 64, 70: 256}


def get_config() -> ml_collections.ConfigDict:
    config = ml_collections.ConfigDict()
    config.task = "weights"
    config.minutes = 60.0
    config.parts = ""  # some of those below, separated by commas; empty: all that there is data for
    config.data = ""  # folders of photographs, separated by commas
    config.masked = ""  # folders with images/ and masks/, separated by commas
    config.evaluate = ml_collections.ConfigDict({"sr": "", "codec": "", "regions": ""})
    config.part = ml_collections.ConfigDict(
        {
            "upscaler_x4": upscaler(4, share=5.0),
            "upscaler_x2": upscaler(2, share=2.0, init_from="upscaler_x4"),
            "upscaler_x3": upscaler(3, share=1.5, init_from="upscaler_x4"),
            "photo_x4": photo(4, share=2.0, init_from="upscaler_x4"),
            "photo_x2": photo(2, share=1.0, init_from="photo_x4"),
            "photo_x3": photo(3, share=1.0, init_from="photo_x4"),
            "codec": codec(share=6.0),
            "restorer": part("regions", "roi/restore.py", 3.0, {0: 2, 14: 16, 70: 64}),
            "segmenter": part("regions", "roi/segment.py", 2.5, {0: 16, 14: 64, 70: 128}),
        }
    )
    return config


def upscaler(scale: int, share: float, init_from: str = "") -> dict[str, Any]:
    """Return the part that trains the released upscaler at a scale."""
    made = part("sr", "sr/span_compact.py", share, UPSCALER_BATCH, str(scale))
    made["train"].optimizer.update(
        name="muon", learning_rate=2e-3, adam_fraction=0.5, weight_decay=0.02
    )
    return made | {"init_from": init_from}


def photo(scale: int, share: float, init_from: str) -> dict[str, Any]:
    """Return the part that trains the upscaler of degraded photographs at a scale."""
    made = part("sr", "sr/span_photo.py", share, UPSCALER_BATCH, str(scale))
    made["evaluate"].inputs = "clean,noise,jpeg,blur,mix"
    return made | {"init_from": init_from}


def codec(share: float) -> dict[str, Any]:
    """Return the part that trains the released codec; JPEG alone is measured beside it."""
    made = part("codec", "codec/patch_hyperprior.py", share, {0: 8, 14: 64, 70: 128})
    made["evaluate"].classical.update(webp=(), avif=(), jpeg_xl=())
    return made


def part(kind: str, file: str, share: float, batch: dict[int, int], *argument: str) -> dict:
    """Return a part: what trains it and what measures it.

    Args:
      kind: of its evaluation, a file of ``configs/eval/``.
      file: of ``configs/``, what to train.
      share: of the minutes, beside the others'.
      batch: GiB of a device's memory → examples of all devices, the largest entry that there is
        memory for; 0 is for CPUs, too.
      argument: of the config file.
    """
    train = config_of(HERE / file, *argument)
    train.steps = 10_000_000  # the minutes decide
    train.eval_every = train.steps
    return {
        "train": train,
        "evaluate": config_of(HERE / "eval" / f"{kind}.py"),
        "kind": kind,
        "share": share,
        "init_from": "",  # another part, whose parameters it starts from
        "batch": [list(pair) for pair in sorted(batch.items())],
    }
