"""Transparency in a file: lossless, small, and never larger than it says."""

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxsr.codec import alpha

PLANES = hnp.arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20)))


@given(PLANES)
@settings(deadline=None)
def test_any_plane_comes_back(plane):
    coded = alpha.encode_plane(plane)
    np.testing.assert_array_equal(alpha.decode_plane(coded, plane.shape), plane)


def test_a_constant_plane_takes_two_bytes_and_a_ramp_a_few():
    assert len(alpha.encode_plane(np.full((900, 700), 255, np.uint8))) == 2
    ramp = np.add.outer(np.arange(128), np.arange(128)).astype(np.uint8)
    for plane in (ramp, ramp.T, ramp[:1], ramp[:, :1]):
        coded = alpha.encode_plane(plane)
        assert len(coded) < 100
        np.testing.assert_array_equal(alpha.decode_plane(coded, plane.shape), plane)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no known way"),
        (b"\0", "no known way"),
        (b"\0\1\2", "no known way"),
        (b"\7abc", "no known way"),
        (b"\1\xff\xff", "damaged"),
        (b"\1" + alpha.deflated(b"x" * 24), "the 25 bytes"),
        (b"\1" + alpha.deflated(b"x" * 26), "the 25 bytes"),
        (b"\1" + alpha.deflated(b"x" * 25)[:-2], "the 25 bytes"),
        (b"\1" + alpha.deflated(b"x" * 25) + b"x", "the 25 bytes"),
    ],
)
def test_what_is_no_plane_of_that_size_is_refused(data, message):
    with pytest.raises(ValueError, match=message):
        alpha.decode_plane(data, (5, 5))
