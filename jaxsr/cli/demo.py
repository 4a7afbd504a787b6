"""``jaxsr demo``: a photograph shrunk and enlarged again, measured and shown beside the original."""

import argparse

# Of scikit-image's astronaut (NASA, public domain; inside its wheel): the face, in pixels.
DETAIL = slice(60, 188), slice(150, 320)
ZOOM = 3
MARGIN, TITLE = 8, 34


def add(commands) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "demo",
        help="shrink a photograph, enlarge it again, and compare",
        description="Shrinks a photograph to a quarter as MATLAB does, enlarges it ×4 by bicubic "
        "interpolation and by a network, prints PSNR and SSIM and draws all of it into one PNG.",
    )
    parser.add_argument("-o", "--output", default="demo", metavar="DIR", help="folder (demo)")
    parser.add_argument("--model", metavar="NAME|FILE", help="weights of a ×4 network")
    return parser


def run(arguments: argparse.Namespace) -> int:
    import time
    from pathlib import Path

    from jaxsr import pipeline, zoo
    from jaxsr.evaluation.super_resolution import degrade, score
    from jaxsr.image import io
    from jaxsr.image.resize import imresize_uint8

    name = str(arguments.model or zoo.DEFAULT)
    upscale = pipeline.load(name, 4)
    original, low = degrade("astronaut", photograph(), 4)
    start = time.perf_counter()
    ours = upscale(low)
    seconds = time.perf_counter() - start
    columns = []
    for title, image in (("bicubic", imresize_uint8(low, 4)), (f"jaxsr {name}", ours)):
        figures = score(image, original, 4)
        title = f"{title}: {figures.psnr:.2f} dB, SSIM {figures.ssim:.4f}"
        print(title)
        columns.append((title, image))
    columns.append(("original", original))

    target = Path(arguments.output) / "astronaut-x4.png"
    target.parent.mkdir(parents=True, exist_ok=True)
    io.write(target, io.Picture(side_by_side(columns)))
    height, width = low.shape[:2]
    print(f"{width}×{height} → {4 * width}×{4 * height} in {seconds:.1f} s, compiling included")
    print(f"side by side: {target}")
    return 0


def photograph():
    """(512, 512, 3) uint8: no download.

    Raises:
      ValueError: scikit-image is not installed.
    """
    try:
        import skimage.data
    except ModuleNotFoundError:
        raise ValueError(
            "the demo's photograph comes with scikit-image: pip install 'jaxsr[demo]'"
        ) from None
    return skimage.data.astronaut()


def side_by_side(columns):
    """A sheet of (title, image) columns: above the whole image, below the detail enlarged."""
    import numpy as np
    from PIL import Image, ImageDraw, ImageFont

    height, width = columns[0][1].shape[:2]
    detail_height, detail_width = ((s.stop - s.start) * ZOOM for s in DETAIL)
    step = max(width, detail_width) + MARGIN
    sheet = Image.new(
        "RGB",
        (MARGIN + step * len(columns), TITLE + height + MARGIN + detail_height + MARGIN),
        "white",
    )
    draw = ImageDraw.Draw(sheet)
    for i, (title, image) in enumerate(columns):
        left = MARGIN + i * step
        draw.text((left, MARGIN), title, fill="black", font=ImageFont.load_default(size=18))
        sheet.paste(Image.fromarray(image), (left, TITLE))
        detail = image[DETAIL].repeat(ZOOM, axis=0).repeat(ZOOM, axis=1)
        sheet.paste(Image.fromarray(detail), (left, TITLE + height + MARGIN))
    return np.asarray(sheet)
