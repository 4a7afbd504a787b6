"""The segmenter: its size, what it takes and gives, and that precisions agree."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from jaxsr.networks import create_segmenter

SMALL = {"features": (8, 12, 16, 16), "layers": 1}


def image(height, width, batch=1):
    return jnp.asarray(np.random.default_rng(0).random((batch, height, width, 3), np.float32))


@pytest.fixture(scope="module")
def small(random_params):
    network = create_segmenter("attention_unet", **SMALL)
    return network, {"params": random_params(network, image(32, 32))}


def test_the_released_size_is_below_two_million_parameters():
    network = create_segmenter("attention_unet")
    shapes = jax.eval_shape(network.init, jax.random.key(0), image(32, 32))["params"]
    assert sum(int(np.prod(a.shape)) for a in jax.tree.leaves(shapes)) < 2_000_000
    assert network.multiple == 32 and network.side % network.multiple == 0


@pytest.mark.parametrize("classes", [1, 5])
def test_any_multiple_of_32_gives_logits_of_its_size(classes):
    network = create_segmenter("attention_unet", **SMALL, classes=classes)
    params = jax.eval_shape(network.init, jax.random.key(0), image(32, 32))
    for height, width in ((32, 32), (64, 96), (160, 32)):  # the parameters fit all of them
        logits = jax.eval_shape(network.apply, params, image(height, width, batch=2))
        assert (logits.shape, logits.dtype) == ((2, height, width, classes), np.float32)


def test_other_sizes_are_refused(small):
    network, params = small
    with pytest.raises(ValueError, match="multiples of 32 pixels, got 40×32; resize"):
        network.apply(params, image(32, 40))


def test_bfloat16_is_close(small):
    network, params = small
    x = image(32, 32, batch=2)
    logits = jax.jit(network.apply)(params, x)
    half = create_segmenter("attention_unet", **SMALL, dtype=jnp.bfloat16)
    rough = jax.jit(half.apply)(params, x)
    assert rough.dtype == jnp.float32
    p, q = jax.nn.sigmoid(logits), jax.nn.sigmoid(rough)
    assert np.std(p) > 0.02 and np.abs(p - q).max() < 0.05


def test_images_of_a_batch_do_not_meet(small):
    network, params = small
    x = image(32, 32, batch=2)
    apply = jax.jit(network.apply)
    both, changed = apply(params, x), apply(params, jnp.stack([x[0], 1 - x[1]]))
    np.testing.assert_array_equal(both[0], changed[0])
    assert np.abs(both[1] - changed[1]).max() > 1e-3


def test_every_place_of_the_image_and_every_parameter_has_its_say_everywhere(small):
    """The deepest features attend to each other: the subject is found by what is around it."""
    network, params = small
    x = image(64, 96)
    corner = jax.jit(jax.grad(lambda params, x: network.apply(params, x)[0, 0, 0, 0], (0, 1)))
    slopes, slope = corner(params, x)
    assert np.abs(slope).max(-1).min() > 0
    idle = [jax.tree_util.keystr(k) for k, g in jax.tree.leaves_with_path(slopes) if not np.any(g)]
    assert not [name for name in idle if not name.endswith("['key']['bias']")]  # a softmax's shift


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16], ids=["float32", "bf16"])
def test_it_lowers_for_every_platform(dtype, small):
    _, params = small
    network = create_segmenter("attention_unet", **SMALL, dtype=dtype)
    x = jax.ShapeDtypeStruct((1, 64, 96, 3), jnp.float32)
    program = export.export(jax.jit(network.apply), platforms=["cpu", "cuda", "tpu"])(params, x)
    (out,) = program.out_avals
    assert (out.shape, out.dtype) == ((1, 64, 96, 1), jnp.float32)
