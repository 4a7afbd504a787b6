"""``jaxsr export``: what it writes, says and refuses."""

import jax
import numpy as np
import pytest
from jax import export

from jaxsr import networks
from jaxsr.zoo import weights


def test_stablehlo_is_written_and_told(run, stage_files, folder):
    model = stage_files["span_compact"]
    code, out, _ = run("export", model, "-o", "m.stablehlo")
    assert code == 0
    assert out.splitlines() == [
        "m.stablehlo: span_compact ×2, RGB, values 0 to 1",
        "m.stablehlo: sizes of images: any",
    ]
    read = export.deserialize(bytearray((folder / "m.stablehlo").read_bytes()))
    assert jax.eval_shape(read.call, np.zeros((1, 6, 5, 3), np.float32)).shape == (1, 12, 10, 3)
    assert run("export", model, "-o", "m.stablehlo")[1].startswith("m.stablehlo exists, skipped")
    code, out, _ = run("export", model, "-o", "m.stablehlo", "--size", "6x4", "--overwrite")
    assert code == 0 and "sizes of images: 6x4 pixels only\n" in out


@pytest.mark.slow
def test_onnx_is_written_for_one_size_where_it_must_be(run, random_params, folder):
    pytest.importorskip("jax2onnx", reason="writing ONNX needs jaxsr[onnx]")
    options = {"features": 4, "encoder": (1,), "middle": 1, "decoder": (1,)}
    params = random_params(networks.create("nafnet", **options))
    weights.write("mine.safetensors", weights.Weights("nafnet", options, params))
    code, out, err = run("export", "mine.safetensors", "-o", "m.onnx")
    assert code == 0, err
    told = (
        "sizes of images: 128x128 pixels only; --size gives another; cut larger images into tiles"
    )
    assert told in out and "onnxruntime's results differ by" in out


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["span-compact", "-o", "m.tflite"], "m.tflite: networks are exported as .onnx or .stable"),
        (["attention-unet", "-o", "m.onnx"], "segmenter weights, not upscaler weights"),
        (["span-compact", "-o", "m.onnx", "--size", "640x"], "'640x' has one side only; give WxH"),
    ],
)
def test_what_cannot_be_exported_is_one_line(run, folder, words, reason):
    code, _, err = run("export", *words)
    assert code == 2 and reason in err and err.count("\n") == 1
