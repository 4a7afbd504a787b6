import numpy as np

from jaxsr.image.sheet import MARGIN, side_by_side

RED, BLUE = (np.full((40, 60, 3), colour, np.uint8) for colour in ([255, 0, 0], [0, 0, 255]))
DETAIL = slice(10, 20), slice(10, 30)


def count(sheet, colour):
    return int((sheet == colour).all(-1).sum())


def test_every_image_is_there_whole_and_its_detail_enlarged():
    sheet = side_by_side([("red", RED), ("blue", BLUE)], DETAIL, zoom=3)
    assert count(sheet, RED[0, 0]) == count(sheet, BLUE[0, 0]) == 40 * 60 + 30 * 60
    assert sheet.shape[1] == 2 * (60 + MARGIN) + MARGIN


def test_rows_begin_anew_after_as_many_as_asked_for():
    columns = [("red", RED), ("blue", BLUE), ("red again", RED)]
    line = side_by_side(columns[:2], DETAIL)
    sheet = side_by_side(columns, DETAIL, across=2)
    assert sheet.shape == (2 * line.shape[0], line.shape[1], 3)
    assert (sheet[: len(line)] == line).all()
    assert count(sheet, RED[0, 0]) == 2 * count(line, RED[0, 0])
