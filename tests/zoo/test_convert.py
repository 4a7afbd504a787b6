"""Published names → ours: what is recognised, what is refused, and that nothing is mixed up.

That converted networks also compute the same is checked in tests/networks/test_parity.py.
"""

from pathlib import Path

import flax.traverse_util
import jax
import numpy as np
import pytest
import safetensors.numpy

from jaxsr.networks import create
from jaxsr.networks.span import fold
from jaxsr.zoo import weights
from jaxsr.zoo.convert import convert, convert_file
from jaxsr.zoo.dialects import DIALECTS
from jaxsr.zoo.dialects.dialect import translate_leaf

GOLDEN = sorted((Path(__file__).parents[1] / "networks/golden").glob("*.npz"))
RRDB = GOLDEN[0].with_name("rrdb_x4.npz")


def state_in(path):
    """The state dict of the authors' own code that a golden file of the networks holds."""
    with np.load(path) as golden:
        names = [name for name in golden.files if name.startswith("state/")]
        return {name.removeprefix("state/"): golden[name] for name in names}


def state_of(shapes):
    """Every array filled with numbers of its own."""
    rng = np.random.default_rng(0)
    return {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def with_bias(name, *shape):
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}


def pan_state(scale):
    shapes = with_bias("conv_first", 4, 3, 3, 3)
    for k in range(2):
        block = f"SCPA_trunk.{k}"
        shapes |= {f"{block}.conv1_{half}.weight": (2, 4, 1, 1) for half in "ab"}
        shapes |= {f"{block}.{c}.weight": (2, 2, 3, 3) for c in ("k1.0", "PAConv.k3", "PAConv.k4")}
        shapes |= with_bias(f"{block}.PAConv.k2", 2, 2, 1, 1)
        shapes |= {f"{block}.conv3.weight": (4, 4, 1, 1)}
    shapes |= with_bias("trunk_conv", 4, 4, 3, 3)
    for k, inputs in ((1, 4), (2, 3)) if scale == 4 else ((1, 4),):
        shapes |= with_bias(f"upconv{k}", 3, inputs, 3, 3) | with_bias(f"att{k}.conv", 3, 3, 1, 1)
        shapes |= with_bias(f"HRconv{k}", 3, 3, 3, 3)
    return state_of(shapes | with_bias("conv_last", 3, 3, 3, 3))


def span_state(eval_conv=True, branches=True):
    def conv3xc(name, c_in, c_out):
        shapes = {}
        if branches:
            shapes |= with_bias(f"{name}.sk", c_out, c_in, 1, 1)
            shapes |= with_bias(f"{name}.conv.0", 2 * c_in, c_in, 1, 1)
            shapes |= with_bias(f"{name}.conv.1", 2 * c_out, 2 * c_in, 3, 3)
            shapes |= with_bias(f"{name}.conv.2", c_out, 2 * c_out, 1, 1)
        return shapes | (with_bias(f"{name}.eval_conv", c_out, c_in, 3, 3) if eval_conv else {})

    shapes = conv3xc("conv_1", 3, 2) | conv3xc("conv_2", 2, 2)
    for k in range(1, 7):
        for i in (1, 2, 3):
            shapes |= conv3xc(f"block_{k}.c{i}_r", 2, 2)
    return state_of(
        shapes | with_bias("conv_cat", 2, 8, 1, 1) | with_bias("upsampler.0", 27, 2, 3, 3)
    )


def edsr_official_state(blocks=2):
    shapes = with_bias("head.0", 4, 3, 3, 3) | with_bias(f"body.{blocks}", 4, 4, 3, 3)
    for k in range(blocks):
        shapes |= with_bias(f"body.{k}.body.0", 4, 4, 3, 3)
        shapes |= with_bias(f"body.{k}.body.2", 4, 4, 3, 3)
    shapes |= with_bias("tail.0.0", 36, 4, 3, 3) | with_bias("tail.1", 3, 4, 3, 3)
    state = state_of(shapes)
    mean = np.float32([114.444, 111.4605, 103.02])
    for name, sign in (("sub_mean", -1), ("add_mean", 1)):
        state |= {f"{name}.weight": np.eye(3)[..., None, None], f"{name}.bias": sign * mean}
    return state


def edsr_basicsr_state(blocks=2):
    """The same network in the other code's words."""
    words = {"head.0": "conv_first", "tail.0.0": "upsample.0", "tail.1": "conv_last"}
    words |= {f"body.{blocks}": "conv_after_body"}
    for k in range(blocks):
        words |= {f"body.{k}.body.0": f"body.{k}.conv1", f"body.{k}.body.2": f"body.{k}.conv2"}
    renamed = {}
    for key, value in edsr_official_state(blocks).items():
        name, _, leaf = key.rpartition(".")
        if name in words:
            renamed[f"{words[name]}.{leaf}"] = value
    return renamed


def rcan_official_state(blocks=2):
    """Two groups; the convolution after two blocks has the name of an EDSR block's."""
    shapes = with_bias("head.0", 4, 3, 3, 3) | with_bias("body.2", 4, 4, 3, 3)
    for group in range(2):
        for k in range(blocks):
            block = f"body.{group}.body.{k}.body"
            shapes |= with_bias(f"{block}.0", 4, 4, 3, 3) | with_bias(f"{block}.2", 4, 4, 3, 3)
            shapes |= with_bias(f"{block}.3.conv_du.0", 2, 4, 1, 1)
            shapes |= with_bias(f"{block}.3.conv_du.2", 4, 2, 1, 1)
        shapes |= with_bias(f"body.{group}.body.{blocks}", 4, 4, 3, 3)
    shapes |= with_bias("tail.0.0", 36, 4, 3, 3) | with_bias("tail.1", 3, 4, 3, 3)
    centring = {k: v for k, v in edsr_official_state().items() if "_mean" in k}
    return state_of(shapes) | centring


def rcan_basicsr_state():
    shapes = with_bias("conv_first", 4, 3, 3, 3) | with_bias("conv_after_body", 4, 4, 3, 3)
    for g in range(2):
        for b in range(3):
            block = f"body.{g}.residual_group.{b}.rcab"
            shapes |= with_bias(f"{block}.0", 4, 4, 3, 3) | with_bias(f"{block}.2", 4, 4, 3, 3)
            shapes |= with_bias(f"{block}.3.attention.1", 2, 4, 1, 1)
            shapes |= with_bias(f"{block}.3.attention.3", 4, 2, 1, 1)
        shapes |= with_bias(f"body.{g}.conv", 4, 4, 3, 3)
    for k in (0, 2):
        shapes |= with_bias(f"upsample.{k}", 16, 4, 3, 3)
    return state_of(shapes | with_bias("conv_last", 3, 4, 3, 3))


def flat(tree):
    return flax.traverse_util.flatten_dict(tree, sep="/")


def test_convolutions_dense_layers_and_norms_get_our_axes_and_names():
    leaf, kernel = translate_leaf("weight", np.arange(2 * 3 * 5 * 7).reshape(2, 3, 5, 7))
    assert (leaf, kernel.shape) == ("kernel", (5, 7, 3, 2))
    assert kernel[4, 6, 2, 1] == kernel.size - 1 and kernel[0, 1, 0, 0] == 1
    assert translate_leaf("weight", np.zeros((2, 3)))[1].shape == (3, 2)
    assert translate_leaf("weight", np.zeros(2))[0] == "scale"


def test_pan_is_recognised_with_its_size_and_every_number_kept():
    state = pan_state(4)
    converted = convert(state)
    assert converted.network == "pan"
    assert converted.options == {"scale": 4, "features": 4, "head_features": 3, "blocks": 2}
    theirs = state["SCPA_trunk.1.PAConv.k3.weight"]
    ours = converted.params["enhance"]["block_1"]["conv_gated"]["kernel"]
    np.testing.assert_array_equal(ours, theirs.transpose(2, 3, 1, 0))
    total = sum(np.abs(a, dtype=np.float64).sum() for a in state.values())
    np.testing.assert_allclose(
        sum(np.abs(a, dtype=np.float64).sum() for a in flat(converted.params).values()), total
    )


def test_pan_needs_to_be_told_apart_where_its_parameters_do_not_tell():
    with pytest.raises(ValueError, match="say which: scale=2 or scale=3"):
        convert(pan_state(3))
    assert convert(pan_state(3), scale=3).options["scale"] == 3


def test_a_file_name_may_tell_the_scale_and_the_written_file_builds_the_network(tmp_path):
    source, target = tmp_path / "PANx3_small.safetensors", tmp_path / "pan.safetensors"
    source.write_bytes(safetensors.numpy.save(pan_state(3)))
    written = convert_file(source, target)
    read = weights.read(target)
    assert read.options == written.options and read.options["scale"] == 3
    assert read.notes == {"converted_from": "PANx3_small.safetensors"}
    network = create(read.network, **read.options)
    shape = jax.eval_shape(network.apply, {"params": read.params}, np.zeros((1, 4, 5, 3), "f4"))
    assert shape.shape == (1, 12, 15, 3)


def test_span_comes_as_trained_and_its_stale_folded_copy_is_left():
    converted = convert(span_state())
    assert converted.options == {"scale": 3, "channels": 3, "features": 2, "folded": False}
    assert "skip_kernel" in converted.params["enhance"]["block_5"]["conv_2"]
    folded = convert(span_state(branches=False))
    assert folded.options["folded"]
    assert flat(fold(converted.params)).keys() == flat(folded.params).keys()


def test_a_key_without_values_says_that_span_sees_images_as_they_are():
    converted = convert(span_state() | {"no_norm": np.zeros(1)})
    assert converted.options["value_range"] == 1 and converted.options["mean"] == (0,)
    other = convert(span_state(), mean=[0.5], value_range=2.0)
    network = create(other.network, **other.options)
    assert (network.mean, network.value_range) == ((0.5,), 2.0)


def test_channels_that_go_in_and_out_are_alike():
    state = state_in(RRDB)
    state["model.10.weight"], state["model.10.bias"] = np.zeros((2, 8, 3, 3)), np.zeros(2)
    with pytest.raises(ValueError, match="takes 3 channels and gives 2"):
        convert(state)
    compact = state_in(GOLDEN[0].with_name("srvgg_compact_x4.npz"))
    last = max(compact, key=lambda key: int(key.split(".")[1])).rpartition(".")[0]
    compact[f"{last}.weight"] = np.zeros((16, 8, 3, 3))
    with pytest.raises(ValueError, match="takes 3 channels, and its last convolution gives 16"):
        convert(compact)


def test_squares_of_more_pixels_than_the_stages_enlarge_are_refused():
    state = {k: v for k, v in state_in(RRDB).items() if not k.startswith(("model.3", "model.6"))}
    state |= {f"model.4.{leaf}": state.pop(f"model.10.{leaf}") for leaf in ("weight", "bias")}
    state |= {f"model.2.{leaf}": state.pop(f"model.8.{leaf}") for leaf in ("weight", "bias")}
    assert convert(state).options["scale"] == 1
    state["model.0.weight"] = np.zeros((8, 12, 3, 3))
    with pytest.raises(ValueError, match="shrinks images: ×1 of squares of 2 pixels"):
        convert(state)


def test_the_activation_without_slopes_may_be_told():
    state = state_in(GOLDEN[0].with_name("srvgg_compact_relu_x2.npz"))
    assert convert(state).options["activation"] == "relu"
    assert convert(state, activation="leaky_relu").options["activation"] == "leaky_relu"


def test_two_code_bases_of_edsr_give_the_same_network():
    official, basicsr = convert(edsr_official_state()), convert(edsr_basicsr_state())
    assert official.network == basicsr.network == "edsr_baseline"
    assert official.options == basicsr.options == {"scale": 3, "features": 4, "blocks": 2}
    assert flat(official.params).keys() == flat(basicsr.params).keys()
    for name, value in flat(official.params).items():
        np.testing.assert_array_equal(value, flat(basicsr.params)[name])


def test_an_image_centred_elsewhere_is_refused():
    state = edsr_official_state()
    state["sub_mean.bias"] = state["sub_mean.bias"] / 255
    with pytest.raises(ValueError, match="centres images by"):
        convert(state)


def test_rcan_of_basicsr_is_recognised_and_its_1x1_convolutions_become_dense():
    converted = convert(rcan_basicsr_state())
    assert converted.options == {
        "scale": 4,
        "features": 4,
        "groups": 2,
        "blocks": 3,
        "reduction": 2,
    }
    attention = converted.params["enhance"]["group_1"]["block_2"]["attention"]
    assert attention["down"]["kernel"].shape == (4, 2)


def test_an_official_rcan_is_not_taken_for_the_edsr_whose_names_it_has():
    assert convert(rcan_official_state()).network == "rcan"


@pytest.mark.parametrize(
    "state",
    [
        pan_state(4),
        span_state(),
        span_state(branches=False),
        edsr_official_state(),
        edsr_basicsr_state(),
        rcan_official_state(),
        rcan_basicsr_state(),
        *(state_in(path) for path in GOLDEN),
    ],
)
def test_every_state_is_in_one_dialect_only(state):
    assert sum(dialect.recognises(state) for dialect in DIALECTS) == 1


def test_an_unknown_checkpoint_is_told_what_is_known():
    with pytest.raises(ValueError, match="unknown checkpoint with 1 arrays") as caught:
        convert({"conv.weight": np.zeros((1, 1, 3, 3))})
    assert all(dialect.name in str(caught.value) for dialect in DIALECTS)


@pytest.mark.parametrize("prefix", ["module.", "netG.", "model.module.", "generator._orig_mod."])
def test_names_are_known_under_what_programs_put_before_them(prefix):
    state = {f"{prefix}{key}": value for key, value in pan_state(4).items()}
    beside = {"discriminator.conv.weight": np.zeros((1, 1, 3, 3)), "n_averaged": np.ones(1)}
    np.testing.assert_equal(convert(state | beside).params, convert(pan_state(4)).params)


def test_averaged_parameters_are_preferred_to_those_beside_them():
    averaged = {f"generator_ema.{key}": 2 * value for key, value in pan_state(4).items()}
    plain = {f"generator.{key}": value for key, value in pan_state(4).items()}
    converted = convert(plain | averaged).params
    theirs = averaged["generator_ema.conv_first.bias"]
    np.testing.assert_array_equal(converted["extract"]["conv"]["bias"], theirs)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            lambda s: {f"a.{k}": v for k, v in s.items()},
            r"unknown checkpoint with \d+ arrays \(a\.",
        ),
        (
            lambda s: {k: v for k, v in s.items() if "SCPA_trunk.0.PAConv.k2" not in k},
            "the nearest is PAN, but it lacks 'SCPA_trunk.0.PAConv.k2.weight'",
        ),
        (
            lambda s: {k.replace("upconv1", "up1"): v for k, v in s.items()},
            "the nearest is PAN, but it has 'up1.weight'",
        ),
    ],
)
def test_an_unknown_checkpoint_is_told_the_nearest_family(change, reason):
    with pytest.raises(ValueError, match=reason):
        convert(change(pan_state(4)))


def test_numbers_that_are_not_finite_are_refused():
    state = pan_state(4)
    state["conv_last.bias"] = np.array([0, np.nan, 0], np.float32)
    with pytest.raises(ValueError, match="'fuse/conv_last/bias' holds numbers that are not finite"):
        convert(state)


def test_another_scale_than_the_parameters_tell_is_refused():
    with pytest.raises(ValueError, match="these weights upscale ×4, not ×2"):
        convert(pan_state(4), scale=2)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda s: s | {"extra.weight": np.zeros(1)}, "has 'extra.weight', which"),
        (lambda s: {k: v for k, v in s.items() if k != "HRconv2.bias"}, "lacks 'fuse/conv_1/bias'"),
        (lambda s: s | {"conv_last.bias": np.zeros(4)}, r"'fuse/conv_last/bias' has shape \(4,\)"),
        (lambda s: {k: v for k, v in s.items() if "conv_first" not in k}, "incomplete checkpoint"),
    ],
)
def test_checkpoints_that_do_not_fit_are_refused_with_the_name(change, reason):
    with pytest.raises(ValueError, match=reason):
        convert(change(pan_state(4)))
