"""Self-modulation: maxima of pieces, repeated, whatever the size."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxsr.attention.modulation import _maxima, _repeated


@pytest.mark.parametrize(("size", "count"), [(16, 2), (19, 2), (37, 4), (5, 1)])
def test_pieces_cover_an_axis_and_are_repeated_over_it(size, count):
    x = np.random.default_rng(0).random((1, size, 2), np.float32)
    pieces = [slice(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]
    expected = np.stack([x[:, piece].max(1) for piece in pieces], axis=1)
    np.testing.assert_array_equal(_maxima(jnp.asarray(x), 1, count), expected)
    repeated = np.asarray(_repeated(jnp.asarray(expected), 1, size))
    np.testing.assert_array_equal(repeated, expected[:, np.arange(size) * count // size])
