"""``jaxsr demo``: a photograph enlarged, compressed and restored, beside the original."""

import argparse
import time
from pathlib import Path

from jaxsr.cli import flags
from jaxsr.cli.report import counted, say
from jaxsr.errors import needs_extra

# Of scikit-image's astronaut (NASA, public domain; inside its wheel): the face, in pixels.
DETAIL = slice(60, 188), slice(150, 320)
ACROSS = 4  # images beside each other
JPEG_QUALITY = 10  # whose bytes the codec gets too
FILE_BPP = 0.2  # of the files that end the chain
NOISE = (
    "The upscaler was trained on degraded photographs, so it removes the noise everywhere. It "
    "leaves little of it to the\nrestorer, which changes the region alone."
)


def add(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "demo",
        help="enlarge, restore and compress a photograph, and compare",
        description="Shrinks a photograph to a quarter as MATLAB does and enlarges it ×4 by "
        "bicubic interpolation and by a network; compresses it as JPEG and by the learned codec to "
        "the same bytes; sends it, small and noisy, through the whole chain: enlarged, its region "
        "found, restored, and given the bytes. Prints how close each comes to the original, and "
        "draws all into PNGs and into a page to compare them in.",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=flags.name,
        default="demo",
        metavar="DIR",
        help="the folder for the pictures and the page (default: demo)",
    )
    flags.add_model(parser, "--model", "the ×4 upscaler", flags.CLEAN_UPSCALER)
    flags.add_overwrite(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    from jaxsr.atomic import make_folder, write_bytes
    from jaxsr.cli import paths
    from jaxsr.image import files
    from jaxsr.image.page import page
    from jaxsr.image.sheet import side_by_side

    photo = photograph()
    sheets = {
        "x4": lambda: enlarged(photo, arguments.model),
        "compressed": lambda: packed(photo),
        "region": lambda: chained(photo),
    }
    folder, scenes = Path(arguments.output), []
    files_of = {name: folder / f"astronaut-{name}.png" for name in sheets}
    compared = folder / "astronaut.html"
    given = [arguments.model] if arguments.model else []
    for target in (*files_of.values(), compared):
        if not paths.check_target(target, given, arguments.overwrite):
            say(f"{target} exists, skipped (--overwrite makes the demo anew)")
            return 0
    make_folder(folder)
    for name, draw in sheets.items():
        columns = draw()
        scenes.append(scene(name, columns, photo))
        sheet = side_by_side([*columns, ("original", photo)], DETAIL, across=ACROSS)
        files.write(files_of[name], files.Picture(sheet))
        say(f"side by side: {files_of[name]}")
        print()
    write_bytes(compared, page("jaxsr demo", scenes).encode())
    say(f"to compare in a browser: {compared}")
    return 0


def scene(name: str, columns: list, original):
    """Return (title, image) columns and their original as a scene of a page.

    What follows a colon in a title is its note; where there is none, the figures are.
    """
    from jaxsr.image.files import Picture
    from jaxsr.image.page import Scene, View, figures

    truth = Picture(original)
    views = []
    for title, image in columns:
        what, _, note = title.partition(": ")
        views.append(View(what, Picture(image), note or figures(Picture(image), truth)))
    return Scene(name, [*views, View("original", truth)])


def enlarged(original, model: str | None) -> list:
    """Return (title, image) of a quarter of the photograph, enlarged in two ways."""
    from jaxsr import pipeline, zoo
    from jaxsr.evaluation.upscalers.protocol import degrade, score
    from jaxsr.image.resize import imresize_uint8

    name = str(model or zoo.CLEAN_UPSCALER)
    upscale = pipeline.load_upscaler(name, 4)
    original, low = degrade("astronaut", original, 4)
    result, seconds = timed(upscale, low)
    columns = []
    for title, image in (("bicubic", imresize_uint8(low, 4)), (f"jaxsr {name}", result.image)):
        figures = score(image, original, 4)
        columns.append((f"{title}: {figures.psnr:.2f} dB, SSIM {figures.ssim:.4f}", image))
        print(columns[-1][0])
    height, width = low.shape[:2]
    print(f"{width}×{height} → {4 * width}×{4 * height} in {seconds:.1f} s, compiling included")
    return columns


def packed(original) -> list:
    """Return (title, image) of the photograph as JPEG and as a .jsr file of no more bytes."""
    from jaxsr import codec
    from jaxsr.evaluation.codecs import classical
    from jaxsr.evaluation.codecs import protocol as rate_distortion

    jpeg = classical.create("jpeg")
    limit = len(jpeg.encode(original, JPEG_QUALITY))
    data, seconds = timed(lambda pixels: codec.encode(pixels, max_bytes=limit), original)
    ours, decoding = timed(codec.decode, data)
    theirs = jpeg.decode(jpeg.encode(original, JPEG_QUALITY))
    columns = []
    for title, size, image in (("JPEG", limit, theirs), ("jaxsr", len(data), ours)):
        psnr, ms_ssim = rate_distortion.compare(title, image, original)
        columns.append((f"{title}: {size} bytes, {psnr:.2f} dB, MS-SSIM {ms_ssim:.4f}", image))
        print(columns[-1][0])
    print(f"encoded in {seconds:.1f} s, decoded in {decoding:.1f} s, compiling included")
    return columns


def chained(original) -> list:
    """Return (title, image) of half the photograph, with noise, after each stage and as files."""
    import numpy as np

    from jaxsr import codec, pipeline
    from jaxsr.evaluation.degradation import generator
    from jaxsr.evaluation.regions.quality import DEGRADATIONS, in_decibels
    from jaxsr.image.resize import imresize_uint8
    from jaxsr.image.values import from_float

    low = DEGRADATIONS["x2-noise"](original, generator(0, "astronaut"))
    chain = pipeline.load_chain(scale=2)
    fused = chain.upscale(low).image
    result, seconds = timed(chain, low)
    image, mask = result.image, result.mask
    region = mask > 0.5
    share = f"{region.mean():.0%} of the image"
    tiles = counted(result.tiles or 0, "tile")
    print(f"the region is {share}; {tiles} restored; {seconds:.1f} s, compiling included")
    columns = [
        ("half the size, noisy", low.repeat(2, 0).repeat(2, 1)),
        ("bicubic", imresize_uint8(low, 2)),
        ("upscaled", fused),
        (f"its region: {share}", np.repeat(from_float(mask)[..., None], 3, -1)),
        ("and restored", image),
    ]
    plain = codec.encode(image, bpp=FILE_BPP)
    finer = codec.encode(image, max_bytes=len(plain), roi=mask)
    columns += [(f"restored, as {len(plain)} bytes", codec.decode(plain))]
    columns += [(f"restored, as {len(finer)} bytes, its region finer", codec.decode(finer))]
    for title, shown in columns[1:]:
        if not title.startswith("its region"):
            print(f"{title}: {in_decibels(shown, original, region)}")
    print(NOISE)
    return columns


def timed(function, argument):
    """Return what the function returns, and the seconds it took."""
    start = time.perf_counter()
    result = function(argument)
    return result, time.perf_counter() - start


def photograph():
    """Return the photograph, (512, 512, 3) uint8, without a download.

    Raises:
      UserError: scikit-image is not installed.
    """
    with needs_extra("demo", "the demo's photograph"):
        import skimage.data
    return skimage.data.astronaut()
