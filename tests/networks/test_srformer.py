"""SRFormer: the published sizes, and what its attention needs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsr.attention.permuted import permuted_attention
from jaxsr.networks import create
from jaxsr.networks.count import parameters


@pytest.mark.parametrize(
    ("name", "scale", "expected"),
    [
        ("srformer_light", 2, 853_000),
        ("srformer_light", 3, 861_000),
        ("srformer_light", 4, 873_000),
        ("srformer", 4, 10_544_000),
    ],
)
def test_published_parameter_counts(name, scale, expected):
    assert parameters(create(name, scale=scale)) == pytest.approx(expected, abs=1000)


@pytest.mark.parametrize(("shift", "first"), [(0, 4), (2, 2)])
def test_pixels_see_what_is_in_their_window_alone(shift, first):
    rng = np.random.default_rng(0)
    q, kv = (jnp.asarray(rng.random((1, 8, 12, c), np.float32)) for c in (8, 4))
    table = jnp.asarray(rng.random((9, 2), np.float32))
    attend = jax.jit(lambda kv: permuted_attention(q, kv, table, 4, shift))
    changed = np.any(np.asarray(attend(kv) != attend(kv.at[0, 5, 5].add(1.0))), axis=-1)[0]
    expected = np.zeros((8, 12), bool)
    expected[first : first + 4, first : first + 4] = True
    np.testing.assert_array_equal(changed, expected)


def test_windows_that_do_not_halve_twice_are_refused():
    with pytest.raises(ValueError, match="multiples of 4, got 6"):
        network = create("srformer_light", window=6, groups=1, depth=1)
        jax.eval_shape(network.init, jax.random.key(0), jnp.ones((1, 6, 6, 3)))
