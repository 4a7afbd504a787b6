"""``jaxsr.load``: weights of any kind, from any program, and what they are."""

from pathlib import Path

import jax
import numpy as np
import pytest
import safetensors.numpy
import skimage.data

import jaxsr
from jaxsr import codec, networks, pipeline, zoo

GOLDEN = Path(__file__).parents[1] / "networks/golden"


@pytest.mark.parametrize(
    ("name", "made", "kind", "parameters"),
    [
        ("span-compact", pipeline.Upscale, "upscaler", 194_608),
        ("attention-unet", pipeline.Segment, "segmenter", 1_883_444),
        ("window-restorer", pipeline.Restore, "restorer", 489_724),
        ("patch-hyperprior", codec.Model, "codec", 3_504_328),
    ],
)
def test_released_weights_of_every_kind_say_what_they_are(name, made, kind, parameters):
    loaded = jaxsr.load(name)
    assert isinstance(loaded, made)
    what = loaded.description
    assert (what.kind, what.parameters, what.licence) == (kind, parameters, "Apache-2.0")
    assert "bfloat16" in what.precisions or kind == "codec"


def test_a_file_of_another_program_is_loaded_as_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with np.load(GOLDEN / "swinir_light_x2.npz") as golden:
        names = [name for name in golden.files if name.startswith("state/")]
        state = {f"module.{name.removeprefix('state/')}": golden[name] for name in names}
        image, expected = golden["input"], golden["output"]
    safetensors.numpy.save_file(state, tmp_path / "any.safetensors")
    upscale = jaxsr.load(tmp_path / "any.safetensors")
    what = upscale.description
    assert (what.architecture, what.scale, what.channels) == ("swinir_light", 2, 3)
    assert "float16" not in what.precisions and "multiples of 8" in what.sizes
    larger = upscale(image.astype(np.float32) / 255).image
    np.testing.assert_allclose(larger, expected.clip(0, 1), atol=1e-3)
    again = "a copy's arrays were checked when it was made, and tracing takes seconds"
    monkeypatch.setattr(zoo.weights, "check_params", lambda *_: pytest.fail(again))
    assert jaxsr.load(tmp_path / "any.safetensors").description == what


def test_an_upscaler_computes_in_the_precision_that_is_given(tmp_path):
    image = skimage.data.chelsea()[100:148, 100:148]
    exact = pipeline.load_upscaler(scale=2)(image).image.astype(int)
    for precision in ("bfloat16", "float16"):
        short = pipeline.load_upscaler(scale=2, precision=precision)(image).image.astype(int)
        assert 0 < abs(short - exact).max() <= 8, precision
    with pytest.raises(ValueError, match="precision 'half'; there are: float32, bfloat16, float16"):
        pipeline.load_upscaler(scale=2, precision="half")


def test_numbers_beyond_float16_are_an_error_that_proposes_bfloat16(tmp_path):
    read = zoo.read_upscaler(scale=2)
    large = jax.tree.map(lambda x: 3 * x, read.params)
    path = tmp_path / "large.safetensors"
    zoo.weights.write(path, zoo.Weights(read.network, read.options, large))
    image = skimage.data.chelsea()[100:120, 100:120]
    with pytest.raises(ValueError, match="range of float16, which bfloat16 has not"):
        pipeline.load_upscaler(path, precision="float16")(image)
    pipeline.load_upscaler(path, precision="bfloat16")(image)


def test_networks_whose_attention_exceeds_float16_refuse_it(tmp_path):
    network = networks.create("swinir_light", features=12, groups=1, depth=1, heads=2)
    shapes = jax.eval_shape(network.init, jax.random.key(0), np.zeros((1, 8, 8, 3), np.float32))
    options = {"features": 12, "groups": 1, "depth": 1, "heads": 2}
    zeros = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes["params"])
    path = tmp_path / "swin.safetensors"
    zoo.weights.write(path, zoo.Weights("swinir_light", options, zeros))
    with pytest.raises(ValueError, match="swinir_light exceeds the range of float16; give bfloat"):
        pipeline.load_upscaler(path, precision="float16")
