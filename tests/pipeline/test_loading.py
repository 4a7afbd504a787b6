"""``jaxsr.load``: weights of any kind, from any program, and what they are."""

from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

import jaxsr
from jaxsr import codec, pipeline

GOLDEN = Path(__file__).parents[1] / "networks/golden"


@pytest.mark.parametrize(
    ("name", "made", "kind", "parameters"),
    [
        ("span-compact", pipeline.Upscale, "upscaler", 194_608),
        ("attention-unet", pipeline.Segment, "segmenter", 1_883_444),
        ("window-restorer", pipeline.Restore, "restorer", 431_352),
        ("patch-hyperprior", codec.Model, "codec", 3_079_880),
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
