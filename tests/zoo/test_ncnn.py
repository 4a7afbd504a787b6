"""Models of ncnn: their text, their numbers, the networks they are, and what damaged ones say."""

from pathlib import Path

import numpy as np
import pytest

from jaxsr.zoo.convert import convert, convert_file
from jaxsr.zoo.dialects.srvgg import RESIZED
from jaxsr.zoo.ncnn import CUGAN_NAMES, files_of, parse, read_ncnn

GOLDEN = Path(__file__).parents[1] / "networks/golden"
HALF = np.uint32(0x01306B47).tobytes()


class Writer:
    """Writes a model as ncnn's converters do: a line a layer, numbers behind one another."""

    def __init__(self):
        self.lines, self.numbers = ["Input in 0 1 data"], []

    def layer(self, kind, options=""):
        self.lines.append(f"{kind} layer_{len(self.lines)} 1 1 a b {options}")

    def convolution(self, weight, bias, options="", kind="Convolution"):
        features, _, height, _ = weight.shape
        self.layer(kind, f"0={features} 1={height} 4=1 5=1 6={weight.size} {options}")
        self.numbers += self.stored(weight, bias)

    def stored(self, weight, bias):
        half = weight.astype("<f2").tobytes()
        return [HALF, half, bytes(-len(half) % 4), bias.astype("<f4").tobytes()]

    def write(self, folder):
        text = "\n".join(["7767517", f"{len(self.lines)} 9", *self.lines])
        (folder / "model.param").write_text(text)
        (folder / "model.bin").write_bytes(b"".join(self.numbers))
        return folder / "model.param"


def state_in(name):
    with np.load(GOLDEN / name) as golden:
        names = [name for name in golden.files if name.startswith("state/")]
        return {name.removeprefix("state/"): golden[name] for name in names}


def compact(slope="PReLU", resize=None):
    """A Compact network's state, and its model: ×4, three convolutions between the ends."""
    state, writer = state_in("srvgg_compact_x4.npz"), Writer()
    for i in range(0, 9, 2):
        fused = "9=2 -23310=1,1.000000e-01" if slope == "fused" and i < 8 else ""
        writer.convolution(state[f"body.{i}.weight"], state[f"body.{i}.bias"], fused)
        if slope == "PReLU" and i < 8:
            writer.layer("PReLU", "0=8")
            writer.numbers.append(state[f"body.{i + 1}.weight"].astype("<f4").tobytes())
        elif slope == "ReLU" and i < 8:
            writer.layer("ReLU")
    writer.layer("PixelShuffle", "0=4")
    writer.layer("Interp", "0=1 1=4.0 2=4.0")
    writer.layer("BinaryOp", "0=0")
    if resize:
        writer.layer("Interp", f"0=3 1={resize} 2={resize}")
    return state, writer


def rrdb(beta="Eltwise", slope="2.000000e-01"):
    """RRDB's state in BasicSR's names, and its model."""
    state, writer = state_in("rrdb_basicsr_x2.npz"), Writer()
    leaky = f"9=2 -23310=1,{slope}"

    def convolution(name, options=""):
        writer.convolution(state[f"{name}.weight"], state[f"{name}.bias"], options)

    def add(factor):
        if beta == "Eltwise":
            writer.layer("Eltwise", f"0=1 -23301=2,{factor},1.000000e+00")
        else:
            writer.layer("BinaryOp", f"0=2 1=1 2={factor}")
            writer.layer("BinaryOp", "0=0")

    convolution("conv_first")
    for block in range(2):
        for dense in range(1, 4):
            for conv in range(1, 6):
                convolution(f"body.{block}.rdb{dense}.conv{conv}", leaky if conv < 5 else "")
                writer.layer("Split")
                if conv < 5:
                    writer.layer("Concat")
            add("2.000000e-01")
        add("2.000000e-01")
    convolution("conv_body")
    writer.layer("BinaryOp", "0=0")
    for stage in (1, 2):
        writer.layer("Interp", "0=1 1=2.0 2=2.0")
        convolution(f"conv_up{stage}", leaky)
    convolution("conv_hr", leaky)
    convolution("conv_last")
    return state, writer


def cugan():
    """Real-CUGAN's state at ×4, and its model; ncnn has the outputs of any layer first."""
    state, writer = state_in("realcugan_x4.npz"), Writer()
    kinds = {
        "seblock": "InnerProduct",
        "up.": "Deconvolution",
        "unet1.conv_bottom": "Deconvolution",
    }
    for name in CUGAN_NAMES:
        weight, bias = (state[f"{name}.{leaf}"] for leaf in ("weight", "bias"))
        kind = next((kind for word, kind in kinds.items() if word in f"{name}."), "Convolution")
        if name.endswith("_up"):
            writer.layer("Crop")
        if kind == "InnerProduct":
            if name.endswith("seblock.conv1"):
                writer.layer("Pooling", "0=1 4=1")
            writer.layer(kind, f"0={len(weight)} 1=1 2={weight.size}")
            writer.numbers += writer.stored(weight, bias)
        else:
            leaky = "" if "bottom" in name or "final" in name else "9=2 -23310=1,1.000000e-01"
            weight = weight.swapaxes(0, 1) if kind == "Deconvolution" else weight
            if name == "unet2.conv5":
                writer.layer("Crop")
            writer.convolution(weight, bias, leaky, kind)
        if name.endswith("seblock.conv2"):
            writer.layer("BinaryOp", "0=2")
        if name.endswith("_up") or name == "unet2.conv_bottom":
            writer.layer("BinaryOp", "0=0")
    writer.layer("Crop")
    writer.layer("PixelShuffle", "0=2")
    return state, writer


@pytest.mark.parametrize("folder", ["models-se", "models-pro"])
def test_real_cugan_gets_the_names_and_numbers_it_has_in_pytorch(tmp_path, folder):
    state, writer = cugan()
    (tmp_path / folder).mkdir()
    found = read_ncnn(*files_of(writer.write(tmp_path / folder)))
    assert convert(found).options["pro"] == (folder == "models-pro")
    assert found.keys() - {"pro"} == state.keys()
    for name, value in state.items():
        np.testing.assert_array_equal(found[name], value)


def test_compact_gets_the_names_and_numbers_it_has_in_pytorch(tmp_path):
    state, writer = compact()
    found = read_ncnn(*files_of(writer.write(tmp_path)))
    assert found.keys() == state.keys()
    for name, value in state.items():
        np.testing.assert_array_equal(found[name], value)
    assert files_of(tmp_path / "model.bin") == files_of(tmp_path / "model.param")


@pytest.mark.parametrize(("resize", "scale"), [("5.000000e-01", 2), ("7.500000e-01", 3)])
def test_a_model_that_shrinks_what_it_enlarged_is_one_of_the_smaller_scale(tmp_path, resize, scale):
    found = read_ncnn(*files_of(compact(resize=resize)[1].write(tmp_path)))
    assert list(found[RESIZED]) == {2: [1, 2], 3: [3, 4]}[scale]
    options = convert(found).options
    assert (options["scale"], options["shuffle"]) == (scale, 4)


@pytest.mark.parametrize(("slope", "expected"), [("ReLU", 0.0), ("fused", 0.1)])
def test_fixed_slopes_become_those_of_each_channel(tmp_path, slope, expected):
    found = read_ncnn(*files_of(compact(slope)[1].write(tmp_path)))
    np.testing.assert_allclose(found["body.5.weight"], np.full(8, expected))
    assert "body.9.weight" not in found


@pytest.mark.parametrize("beta", ["Eltwise", "BinaryOp"])
def test_rrdb_gets_the_names_and_numbers_it_has_in_pytorch(tmp_path, beta):
    state, writer = rrdb(beta)
    found = read_ncnn(*files_of(writer.write(tmp_path)))
    assert found.keys() == state.keys()
    for name, value in state.items():
        np.testing.assert_array_equal(found[name], value)


def test_a_model_is_converted_from_either_of_its_files(tmp_path):
    rrdb()[1].write(tmp_path)
    for suffix in ("param", "bin"):
        found = convert_file(tmp_path / f"model.{suffix}", tmp_path / "ours.safetensors")
        assert found.network == "rrdb"
        assert found.notes == {"converted_from": f"model.{suffix}"}


def test_numbers_of_32_bits_are_read_too(tmp_path):
    state, writer = compact()
    weight = state["body.0.weight"].astype("<f4")
    writer.numbers[:3] = [bytes(4), weight.tobytes(), b""]
    found = read_ncnn(*files_of(writer.write(tmp_path)))
    np.testing.assert_array_equal(found["body.0.weight"], weight)


def test_layers_are_read_with_their_options():
    _, conv = parse("7767517\n2 2\nInput a 0 1 x\nConvolution b 1 1 x y 0=8 -23310=2,0.5,1.5\n")
    assert (conv.kind, conv.inputs, conv.whole(0), conv.whole(1, 3)) == ("Convolution", 1, 8, 3)
    assert conv.numbers(10) == (0.5, 1.5)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda w: w.numbers.pop(), "ends before the layers have their numbers"),
        (lambda w: w.numbers.append(bytes(8)), "8 bytes of the .bin file belong to no layer"),
        (lambda w: w.lines.pop(), "in an order that no known network has"),
        (lambda w: w.layer("Softmax"), "'Softmax' are in no network that is known"),
        (lambda w: w.lines.append("Split"), "a line is not that of a layer"),
        (lambda w: w.layer("Split", "0=nan"), "a line is not that of a layer"),
        (lambda w: w.lines.insert(1, "Convolution c 1 1 a b 0=8"), "has 0 weights for 0 taps"),
        (
            lambda w: w.lines.insert(1, "Convolution c 1 1 a b 0=8 1=3 6=99999936"),
            "ends before the layers have their numbers",
        ),
        (lambda w: w.numbers.__setitem__(0, bytes([0x38, 0x4B, 0x0D, 0])), "8-bit numbers are not"),
        (lambda w: w.numbers.__setitem__(0, b"abcd"), "quantised, or damaged"),
    ],
)
def test_a_damaged_or_unknown_model_says_what_is_wrong(tmp_path, change, reason):
    _, writer = compact()
    change(writer)
    with pytest.raises(ValueError, match=f"model.param: .*{reason}"):
        read_ncnn(*files_of(writer.write(tmp_path)))


def test_a_model_is_not_taken_for_one_with_other_constants(tmp_path):
    with pytest.raises(ValueError, match=r"RRDB with the constant 0\.1,"):
        read_ncnn(*files_of(rrdb(slope="1.000000e-01")[1].write(tmp_path)))


def test_one_file_alone_is_no_model(tmp_path):
    param = compact()[1].write(tmp_path)
    (tmp_path / "model.bin").unlink()
    with pytest.raises(ValueError, match=r"two files; model\.bin is not beside it"):
        files_of(param)
    (tmp_path / "pytorch.bin").write_bytes(b"PK\x03\x04")
    assert files_of(tmp_path / "pytorch.bin") is None
    (tmp_path / "pytorch.param").write_text("7767518\n")
    assert files_of(tmp_path / "pytorch.bin") is None
