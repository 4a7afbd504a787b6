"""The eight symmetries of a square."""

import numpy as np

from jaxsr.image.symmetry import turn, turn_back


def test_the_eight_turns_differ_and_are_undone():
    image = np.arange(2 * 3 * 3, dtype=np.float32).reshape(2, 3, 3)
    assert len({turn(image, i).tobytes() for i in range(8)}) == 8
    for i in range(8):
        np.testing.assert_array_equal(turn_back(turn(image, i), i), image)
