"""Networks as files for programs without jaxsr: ONNX and StableHLO, of any size where they can."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from jax import export, lax
from jax.extend.core import Primitive

from jaxsr.errors import UserError
from jaxsr.zoo import kinds, onnx
from jaxsr.zoo.portable import portable
from jaxsr.zoo.primitives import evaluate
from jaxsr.zoo.stablehlo import PLATFORMS, write_stablehlo
from jaxsr.zoo.weights import Weights

OPTIONS = {
    "srvgg_compact": {"features": 4, "convolutions": 2, "scale": 2},
    "swinir_light": {"features": 4, "groups": 1, "depth": 2, "heads": 2, "window": 4, "scale": 2},
    "nafnet": {"features": 4, "encoder": (1,), "middle": 1, "decoder": (1,)},
}


@pytest.fixture(scope="module")
def small(random_params):
    """``small(name)``: weights of a small network."""

    def draw(name):
        network = kinds.UPSCALER.create(name, **OPTIONS[name])
        image = jax.ShapeDtypeStruct((1, 16, 16, 3), np.float32)
        return Weights(name, OPTIONS[name], random_params(network, image), {"licence": "mine"})

    return draw


def image_of(*size):
    return jnp.asarray(np.random.default_rng(1).random((1, *size, 3), np.float32))


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("srvgg_compact", "any"),
        ("nafnet", "multiples of 2 pixels"),
        ("swinir_light", "128x128 pixels only"),
    ],
)
def test_sizes_are_left_open_where_the_program_is_the_same_for_all(small, name, sizes):
    assert portable(small(name)).sizes() == sizes
    assert portable(small(name), (24, 20)).sizes() == "20x24 pixels only"


@pytest.mark.parametrize(
    ("name", "sizes"), [("srvgg_compact", [(5, 7), (8, 3)]), ("nafnet", [(4, 6)])]
)
def test_stablehlo_is_one_file_for_all_platforms_and_sizes(small, tmp_path, name, sizes):
    program = portable(small(name))
    write_stablehlo(tmp_path / "m.stablehlo", program)
    read = export.deserialize(bytearray((tmp_path / "m.stablehlo").read_bytes()))
    assert read.platforms == PLATFORMS
    for size in sizes:
        image = image_of(*size)
        expected = program(image)
        near = 1e-5 * max(1, float(jnp.abs(expected).max()))
        np.testing.assert_allclose(read.call(image), expected, rtol=0, atol=near)


def test_simpler_operations_compute_the_same():
    def program(x):
        pooled = nn.max_pool(x, (3, 2), strides=(2, 1))
        padded = jnp.pad(pooled, ((0, 0), (0, 3), (1, 0), (0, 0)), mode="edge")
        return jax.jit(jnp.exp)(jnp.stack([padded, padded])).sum(0)

    image = image_of(9, 6)
    traced = jax.make_jaxpr(program)(image)
    simple = jax.make_jaxpr(lambda x: evaluate(traced, x)[0])(image)
    names = {equation.primitive.name for equation in simple.eqns}
    assert not names & {"reduce_window_max", "jit", "pjit", "stack", "cond", "platform_index"}
    np.testing.assert_array_equal(evaluate(traced, image)[0], program(image))


def test_of_programs_for_platforms_the_one_for_none_is_taken():
    traced = jax.make_jaxpr(lambda x: lax.platform_dependent(x, cpu=jnp.sin, default=jnp.cos))(1.0)
    np.testing.assert_array_equal(evaluate(traced, 1.0)[0], jnp.cos(1.0))


@pytest.fixture
def runtime():
    pytest.importorskip("jax2onnx", reason="writing ONNX needs jaxsr[onnx]")
    return pytest.importorskip("onnxruntime")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "size", "images"),
    [("srvgg_compact", None, [(5, 7), (9, 4)]), ("swinir_light", (6, 9), [(6, 9)])],
)
def test_onnx_takes_planes_and_computes_the_same(small, runtime, tmp_path, name, size, images):
    program = portable(small(name), size)
    assert onnx.write_onnx(tmp_path / "m.onnx", program) <= onnx.TOLERANCE
    session = runtime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    (given,), (made,) = session.get_inputs(), session.get_outputs()
    assert (given.name, made.name, given.shape[:2]) == ("input", "output", [1, 3])
    for image in (image_of(*size) for size in images):
        (found,) = session.run(None, {"input": np.asarray(image.transpose(0, 3, 1, 2))})
        np.testing.assert_allclose(found.transpose(0, 2, 3, 1), program(image), rtol=0, atol=1e-4)
    facts = session.get_modelmeta().custom_metadata_map
    assert facts["network"] == name and facts["scale"] == "2" and facts["licence"] == "mine"
    assert (facts["layout"], facts["colours"], facts["sizes"]) == ("NCHW", "RGB", program.sizes())


def test_what_onnxruntime_computes_otherwise_is_not_written(small, runtime, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx, "evaluate", lambda plain, x: [1.01 * evaluate(plain, x)[0] + 0.01])
    with pytest.raises(UserError, match="computes something else of srvgg_compact: results differ"):
        onnx.write_onnx(tmp_path / "m.onnx", portable(small("srvgg_compact"), (4, 4)))
    assert not (tmp_path / "m.onnx").exists()


def test_an_operation_that_cannot_be_written_is_named(small, runtime, tmp_path, monkeypatch):
    unheard_of = Primitive("unheard_of")
    unheard_of.def_abstract_eval(lambda x: x)
    monkeypatch.setattr(onnx, "evaluate", lambda plain, x: [unheard_of.bind(x)])
    with pytest.raises(onnx.Untranslated, match=r"cannot translate srvgg_compact: .*unheard_of"):
        onnx.write_onnx(tmp_path / "m.onnx", portable(small("srvgg_compact"), (4, 4)))


def test_without_the_package_the_error_says_how_to_install_it(small, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jax2onnx", None)
    with pytest.raises(UserError, match=r"writing ONNX needs jax2onnx.*'jaxsr\[onnx\]'"):
        onnx.write_onnx(tmp_path / "m.onnx", portable(small("srvgg_compact"), (4, 4)))


def test_segmenters_are_not_exported():
    with pytest.raises(UserError, match="attention_unet: segmenter weights are not exported"):
        portable(Weights("attention_unet", {}, {}))
