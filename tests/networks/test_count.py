"""Counting: by hand where that is possible, by the papers where their convention is ours."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

from jaxsr.networks import create
from jaxsr.networks.count import multiply_adds, parameters


class Probe(nn.Module):
    """One operation of known cost, in the shape of an upscaler."""

    operation: str
    scale: int = 2

    @nn.compact
    def __call__(self, x):
        return getattr(self, self.operation)(x)

    def convolution(self, x):
        return nn.Conv(8, (3, 5), use_bias=False)(x)

    def grouped(self, x):
        return nn.Conv(6, (3, 3), strides=(2, 2), feature_group_count=3)(x)

    def attention(self, x):
        weights = jax.nn.softmax(jnp.einsum("bhqc,bhkc->bhqk", x, x))
        return jax.jit(lambda w: jnp.einsum("bhqk,bhkc->bhqc", w, x))(weights)

    def scanned(self, x):
        step = jax.checkpoint(lambda x: x @ jnp.ones((3, 3)))
        return jax.lax.scan(lambda x, _: (step(x), None), x, length=5)[0]

    def branched(self, x):
        dear = lambda x: x @ jnp.ones((3, 3)) @ jnp.ones((3, 3))  # noqa: E731
        return jax.lax.cond(x.sum() > 0, dear, lambda x: x @ jnp.ones((3, 3)), x)

    def endless(self, x):
        return jax.lax.while_loop(lambda x: x.sum() < 1, lambda x: 2 * x, x)


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("convolution", 4 * 10 * 8 * (3 * 5 * 3)),
        ("grouped", 2 * 5 * 6 * (3 * 3 * 1)),
        ("attention", 2 * 4 * 10 * 10 * 3),  # rows of 10 pixels attend to themselves
        ("scanned", 5 * 4 * 10 * 3 * 3),
        ("branched", 2 * 4 * 10 * 3 * 3),
    ],
)
def test_multiply_adds_are_those_counted_by_hand(operation, expected):
    assert multiply_adds(Probe(operation), 4, 10) == expected


def test_a_loop_of_unknown_length_is_refused():
    with pytest.raises(ValueError, match="while"):
        multiply_adds(Probe("endless"), 4, 10)


def test_parameters_are_kernels_and_biases():
    assert parameters(Probe("convolution")) == 3 * 5 * 3 * 8
    assert parameters(Probe("grouped")) == 3 * 3 * 1 * 6 + 6


@pytest.mark.parametrize(
    ("name", "scale", "published"),
    [("edsr_baseline", 4, 114.2), ("pan", 4, 28.2), ("pan", 3, 39.0), ("pan", 2, 70.5)],
)
def test_multiply_adds_for_a_720p_output_are_the_papers(name, scale, published):
    assert round(multiply_adds(create(name, scale=scale)) / 1e9, 1) == published


def test_a_swin_layer_costs_its_projections_and_both_attention_products():
    options = {"features": 12, "groups": 1, "heads": 2, "window": 4}
    one, two = (multiply_adds(create("swinir", depth=d, **options), 7, 8) for d in (1, 2))
    pixels, window = 8 * 8, 4 * 4  # 7 rows are padded to 8
    assert two - one == pixels * (12 * 36 + 12 * 12 + 2 * 12 * 24) + 2 * pixels * window * 12
