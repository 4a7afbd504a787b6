"""PSNR and SSIM of an upscaler, by the protocol of the literature, beside bicubic's.

    python eval.py --config=configs/eval/sr.py --config.model=MODEL --config.data=DIR[,DIR…] \
        --config.scale=4 --config.out=metrics.json

`MODEL` is a released model's name, a weights file, or `bicubic`; for a training run give
`--workdir=DIR` in its place. `--config.self_ensemble` averages the eight flips and rotations,
`--config.pictures=DIR` keeps the outputs, `--config.limit=N` takes the first N images of each
folder.

`--config.inputs` says what is enlarged: reduced images as they are ("clean", the literature's), or
degraded: "noise" (σ 8 of 255), "jpeg" (quality 50), "blur" (σ 1.2 pixels), "mix" (blur 0.8, noise
5, JPEG 60) or "codec" (ours, quality 20); several with commas between them.

Bicubic needs no weights and has figures to expect, the same on any hardware:
Set5 ×2 33.673 / .9303, ×3 30.403 / .8689, ×4 28.429 / .8111 (PSNR-Y in dB / SSIM-Y).
"""

import ml_collections


def get_config() -> ml_collections.ConfigDict:
    config = ml_collections.ConfigDict()
    config.task = "super_resolution"
    config.model = ""  # name, weights file or "bicubic"; empty with --workdir
    config.data = ""  # folders of originals, separated by commas
    config.scale = 4
    config.inputs = "clean"  # what is enlarged: some of clean,noise,jpeg,blur,mix,codec
    config.out = ""  # JSON file; empty: only the table
    config.pictures = ""  # folder for the outputs; empty: none kept
    config.report = ""  # HTML page that compares the images; empty: none
    config.self_ensemble = False
    config.limit = 0  # images of each folder; 0: all
    return config
