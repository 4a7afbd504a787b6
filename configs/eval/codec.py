"""Rate and distortion of a codec, by the protocol of the literature, beside the classical ones.

    python eval.py --config=configs/eval/codec.py --config.model=MODEL --config.data=DIR[,DIR…] \
        --config.out=rd.json --config.plot=rd.png --config.curves=POINTS.csv \
        --config.curve_names='VTM,BPG 8b 444 x265 ycbcr,bmshj2018-hyperprior,WebP,JPEG2000'

`MODEL` is a released codec's name or a weights file; for a training run give `--workdir=DIR` in its
place, and for the classical codecs alone neither. Each is measured at its own qualities
(`--config.qualities='(10, 50, 90)'`); an empty list (`--config.classical.avif='()'`) leaves a
classical one out. JPEG has optimised Huffman tables, WebP its slowest method:
`jaxsr/evaluation/codecs/classical.py` says how each is set.

`--config.modes="('full','half','auto')"` draws curves of pictures kept at half their size, too,
and of the better of the two, whose qualities take the bytes that they take at full size.

Rates are of complete files; PSNR and MS-SSIM of 8-bit RGB; every figure is the mean over images,
and `config.out` keeps those of each image too. Times are wall-clock, of all cores; where something
is compiled a call is made twice and the second counts. BD-rate and BD-PSNR are against
`config.anchor`, any measured or published curve. Published curves, of the same images, come from a
CSV table with the columns `file,codec,q,bpp,psnr_rgb_db,ms_ssim_rgb,enc_s,dec_s`;
`config.curve_names` selects. The plot needs matplotlib (`pip install 'jaxsr[plot]'`).

On the 24 images of Kodak, JPEG has these figures on any hardware (bpp, PSNR in dB): quality 10
0.2555 26.672, 50 0.8692 32.174, 90 2.3154 38.034.
"""

import ml_collections


def get_config() -> ml_collections.ConfigDict:
    config = ml_collections.ConfigDict()
    config.task = "codec"
    config.model = ""  # name or weights file; empty with --workdir, or for the classical ones alone
    config.data = ""  # folders of originals, separated by commas
    config.modes = ("full",)  # of ours, a curve each: "full", "half" (of the size), "auto"
    config.qualities = (1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100)  # of ours
    config.classical = ml_collections.ConfigDict(
        {
            "jpeg": (5, 10, 15, 20, 30, 40, 50, 60, 70, 80, 85, 90),
            "webp": (1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95),
            "avif": (10, 20, 30, 40, 50, 60, 70, 80, 90),
            "jpeg_xl": (10, 20, 30, 40, 50, 60, 70, 80, 90, 95),
        }
    )
    config.anchor = "JPEG"  # of BD figures: a codec measured or published; empty: none
    config.curves = ""  # CSV table of published curves
    config.curve_names = ""  # those of them to take, separated by commas; empty: all that differ
    config.out = ""  # JSON file; empty: only the tables
    config.plot = ""  # PNG file; with several folders one each, FILE-FOLDER.png
    config.pictures = ""  # folder for the reconstructions; empty: none kept
    config.report = ""  # HTML page that compares the images; empty: none
    config.each_image = False  # print every image's figures too
    config.limit = 0  # images of each folder; 0: all
    return config
