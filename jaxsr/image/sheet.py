"""A sheet for looking: images beside each other, and below each the same detail of it enlarged."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

MARGIN = 8


def side_by_side(
    columns: Sequence[tuple[str, UInt8[np.ndarray, "h w 3"]]],
    detail: tuple[slice, slice],
    zoom: int = 3,
    across: int | None = None,
) -> UInt8[np.ndarray, "rows columns 3"]:
    """Draw images of one size on a white sheet, each below its title and above its detail.

    Args:
      columns: title and image of each.
      detail: the rows and columns that are shown enlarged.
      zoom: pixels a side of the square that each pixel of the detail becomes.
      across: columns beside each other before the next row begins; None: all.
    """
    height, width = columns[0][1].shape[:2]
    details = [image[detail].repeat(zoom, axis=0).repeat(zoom, axis=1) for _, image in columns]
    across = min(across or len(columns), len(columns))
    letters = max(18, width // 22)
    font, top = ImageFont.load_default(letters), int(1.9 * letters)
    step_x = max(width, details[0].shape[1]) + MARGIN
    step_y = top + height + MARGIN + details[0].shape[0] + MARGIN
    rows = -(-len(columns) // across)
    sheet = Image.new("RGB", (MARGIN + step_x * across, step_y * rows), "white")
    draw = ImageDraw.Draw(sheet)
    for i, ((title, image), enlarged) in enumerate(zip(columns, details, strict=True)):
        left, above = MARGIN + i % across * step_x, i // across * step_y
        draw.text((left, above + top // 4), title, fill="black", font=font)
        sheet.paste(Image.fromarray(image), (left, above + top))
        sheet.paste(Image.fromarray(enlarged), (left, above + top + height + MARGIN))
    return np.asarray(sheet)
