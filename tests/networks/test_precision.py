"""Every network in bfloat16: what stays float32 all the same."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsr.networks import COMPRESSORS, create_compressor
from jaxsr.networks.window_restorer import features_at
from jaxsr.zoo import KINDS

NETWORKS = [(kind, name) for kind in KINDS for name in kind.networks]
SKIPPING = [(kind, name) for kind, name in NETWORKS if name in {"pan", "span_compact"}]
SKIPPING += [(kind, name) for kind, name in NETWORKS if name == "window_restorer"]
PRODUCTS = {"conv_general_dilated", "dot_general"}
# what softmax and norms are made of, and no activation
EXACT = {"exp", "rsqrt", "sqrt", "reduce_max", "reduce_sum"}
TINY = {"features": 8, "latents": 12, "hidden": 4, "hyper": 8, "width": 8, "attention": 8}


def described(value):
    return value if isinstance(value, str) else ""


def equations(jaxpr):
    """All equations, also those of functions that are called."""
    for equation in jaxpr.eqns:
        yield equation
        called = jax.tree.leaves(list(equation.params.values()), is_leaf=is_jaxpr)
        for inner in filter(is_jaxpr, called):
            yield from equations(getattr(inner, "jaxpr", inner))


def is_jaxpr(value):
    return hasattr(value, "eqns") or hasattr(value, "jaxpr")


def narrow(jaxpr):
    """The names of the primitives that take or return bfloat16."""
    return {
        equation.primitive.name
        for equation in equations(jaxpr)
        for x in (*equation.invars, *equation.outvars)
        if getattr(x.aval, "dtype", None) == jnp.bfloat16
    }


def traced(network, params, *inputs, method=None):
    return jax.make_jaxpr(lambda p, *x: network.apply({"params": p}, *x, method=method))(
        params, *inputs
    )


@pytest.mark.parametrize(("kind", "name"), NETWORKS, ids=described)
def test_softmax_norms_and_output_are_float32_where_products_are_bfloat16(kind, name, fewer):
    network = kind.create(name, **fewer(name), dtype=jnp.bfloat16)
    inputs = kind.inputs(network)
    params = jax.eval_shape(network.init, jax.random.key(0), *inputs)["params"]
    closed = traced(network, params, *kind.inputs(network, params=params))
    found = narrow(closed.jaxpr)
    assert found & PRODUCTS
    assert not found & EXACT
    assert {x.dtype for x in jax.tree.leaves(params)} == {np.dtype(np.float32)}
    assert {x.aval.dtype for x in closed.jaxpr.outvars} == {np.dtype(np.float32)}


@pytest.mark.parametrize(("kind", "name"), SKIPPING, ids=described)
def test_the_image_beside_the_layers_passes_in_float32(kind, name):
    def output(dtype):
        network = kind.create(name, blocks=1, dtype=dtype)
        inputs = kind.inputs(network)
        params = jax.eval_shape(network.init, jax.random.key(0), *inputs)
        params = jax.tree.map(lambda x: jnp.zeros(x.shape), params)
        rng = np.random.default_rng(0)
        return jax.jit(network.apply)(params, *(rng.random(x.shape, np.float32) for x in inputs))

    np.testing.assert_array_equal(output(jnp.bfloat16), output(None))


# ---- codecs ----


def compressor(name, dtype):
    of = COMPRESSORS[name]
    known = of.__code__.co_varnames[: of.__code__.co_argcount]
    return create_compressor(name, **{k: TINY[k] for k in TINY if k in known}, dtype=dtype)


def image_and_key():
    rng = np.random.default_rng(1)
    image = jnp.asarray(rng.random((1, 128, 128, 3), np.float32))
    return image, jnp.full(1, 0.5), jnp.zeros((1, 8, 8)), jax.random.key(0)


@pytest.mark.parametrize("name", COMPRESSORS)
def test_all_that_decides_a_codecs_bits_is_float32(name, random_params):
    network, exact = (compressor(name, dtype) for dtype in (jnp.bfloat16, None))
    image, rate, region, key = image_and_key()
    params = random_params(exact, image, rate, region, key)
    y, expected = (
        jax.jit(functools.partial(n.apply, method=lambda n, x: n.analysis(x)))(
            {"params": params}, image
        )
        for n in (network, exact)
    )
    assert y.dtype == jnp.float32
    assert np.any(y != y.astype(jnp.bfloat16))  # nor were they rounded on the way
    assert 0 < np.sqrt(np.mean((y - expected) ** 2)) < 0.03 * np.std(expected)

    def bits(network, image, rate, region, key, y):
        """The bits of given latents."""
        object.__setattr__(network, "analysis", lambda image: y)
        object.__setattr__(network, "synthesis", lambda y, level: y)
        return network(image, rate, region, key)[1:]

    found = traced(network, params, image, rate, region, key, y, method=bits)
    assert not narrow(found.jaxpr)


# ---- features ----


def test_features_in_bfloat16_keep_their_places_far_from_the_border():
    rng = np.random.default_rng(0)
    f = jnp.asarray(rng.random((1, 4, 900, 1)), jnp.bfloat16)
    near, exact = (features_at(x, 3, 3, 675) for x in (f, f.astype(jnp.float32)))
    assert near.dtype == jnp.bfloat16
    np.testing.assert_allclose(near.astype(jnp.float32), exact, atol=0.02)
