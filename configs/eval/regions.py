"""Regions: how well a segmenter finds them, and what restoring them gains.

    python eval.py --config=configs/eval/regions.py --config.model=SEGMENTER \\
        --config.restorer=RESTORER --config.data=DIR[,DIR…] --config.out=regions.json

Each is a released name or a weights file; `--workdir=RUN` takes a training run's in place of one of
them. Give one alone to measure it alone, or neither for the baselines alone.

`DIR` has images in `images/` and masks, by the same names, in `masks/`. Segmenters are measured on
such folders: MAE, max-Fβ (β² = 0.3), S-measure and IoU at 0.5, beside a Gaussian in the middle and
the whole image as the mask. `jaxsr/evaluation/regions/saliency.py` has the protocol;
`config.plot` draws precision over recall and needs matplotlib (`pip install 'jaxsr[plot]'`).

Restorers are measured on any folder of originals: PSNR and SSIM of 8-bit RGB inside the region,
outside it and over the whole image, of the restored result and of the global one that it began
with, for each of `config.degradations` (`jaxsr/evaluation/regions/quality.py` says what each does).
The region is that of the mask in `masks/`; without one, the segmenter's, if one is given and it
finds any; else a box in the middle.

Without weights, the first 60 images of ECSSD have these figures on any hardware (MAE, max-Fβ,
S-measure, IoU):
the Gaussian .2957 / .6165 / .6233 / .4224,
the whole image .7784 / .2702 / .1133 / .2216.
"""

import ml_collections


def get_config() -> ml_collections.ConfigDict:
    config = ml_collections.ConfigDict()
    config.task = "regions"
    config.model = ""  # the segmenter: name or weights file; empty: none, or that of --workdir
    config.restorer = ""  # name or weights file; empty: none, or that of --workdir
    config.upscaler = "span-photo"  # released name: makes the global result of reduced images
    config.data = ""  # folders, separated by commas
    config.degradations = (  # of the restorer's images; also "clean": the original itself
        *("x4", "x4-noise", "x4-jpeg", "x2", "x2-noise", "x2-jpeg"),
        *("blur", "noise", "jpeg", "codec"),
    )
    config.seed = 0  # of the noise
    config.out = ""  # JSON file; empty: only the tables
    config.plot = ""  # PNG file of precision over recall; with several folders FILE-FOLDER.png
    config.pictures = ""  # folder: image | truth | mask, and global | restored | original
    config.report = ""  # HTML page that compares the images; empty: none
    config.each_image = False  # print every image's figures too
    config.limit = 0  # images of each folder; 0: all
    return config
