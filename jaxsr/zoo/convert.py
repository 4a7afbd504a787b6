"""PyTorch checkpoints of published networks → :class:`~jaxsr.zoo.weights.Weights`."""

import dataclasses
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import flax.traverse_util
import jax
import numpy as np

from jaxsr import networks
from jaxsr.errors import UserError
from jaxsr.networks.upscaler import DIV2K_MEAN
from jaxsr.zoo import weights
from jaxsr.zoo.pytorch import read_checkpoint
from jaxsr.zoo.weights import Weights

State = Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Dialect:
    """How one PyTorch code base names the parameters of one family of networks.

    Attributes:
      marks: keys that this dialect has, and together only this one.
      describe: state → (name in ``UPSCALERS``, the factory's options); an option the state does not
        tell is left out and must then be given to :func:`convert`.
      rules: (their name, our path) pairs. ``#`` stands for a number, the first one on the left for the
        first on the right and so on. Their name comes without ``.weight`` or ``.bias``: our path gets
        ``/kernel``, ``/scale`` or ``/bias`` (``_kernel`` … where it ends in an underscore). A rule that
        names a whole key takes its value as it is, to exactly that path.
      ignored: patterns of keys that hold nothing we need (buffers, stale copies); ``#`` as above.
      first: their numbers count from here, ours from 0.
      prepare: applied to the state first, where arrays differ by more than name and axis order.
    """

    marks: tuple[str, ...]
    describe: Callable[[State], tuple[str, dict[str, Any]]]
    rules: tuple[tuple[str, str], ...]
    ignored: tuple[str, ...] = ()
    first: int = 0
    prepare: Callable[[State], State] = dict


def convert(state: State, **options) -> Weights:
    """Recognises a state dict of a published network and renames it into ours.

    Args:
      state: names → arrays, as :func:`jaxsr.zoo.pytorch.read_checkpoint` returns them.
      options: of the network's factory, where the state does not tell them (``scale=3`` for PAN, whose
        ×2 and ×3 have the same parameters) or tells them wrongly.

    Raises:
      UserError: no dialect here knows these names, some are left over or missing, or the shapes do
        not fit the network.
    """
    dialect = recognise(state)
    network, found = describe(state, dialect)
    options = found | options
    if "scale" not in options:
        raise UserError(
            f"these {network} weights fit several scales alike; say which: scale=2 or scale=3"
        )
    flat = rename(dialect.prepare(state), dialect)
    return Weights(network, options, fit(flat, network, options))


def convert_file(
    source: str | os.PathLike, target: str | os.PathLike, scale: int | None = None, **options
) -> Weights:
    """Reads a PyTorch checkpoint and writes it as our weights; returns what it wrote.

    ``scale`` is needed where the parameters do not tell it; an ``x2`` in the file's name will do.

    Raises:
      UserError: see :func:`jaxsr.zoo.pytorch.read_checkpoint` and :func:`convert`.
    """
    source = Path(source)
    state = read_checkpoint(source)
    _, found = describe(state, recognise(state))
    if scale is None and "scale" not in found:
        named = re.search(r"[xX]([23])", source.stem)
        scale = named and int(named[1])
    if scale is not None:
        options["scale"] = scale
    converted = convert(state, **options)
    converted = dataclasses.replace(converted, notes={"converted_from": source.name})
    weights.write(target, converted)
    return converted


def recognise(state: State) -> Dialect:
    """The dialect whose marks ``state`` has.

    Raises:
      UserError: there is none.
    """
    for dialect in DIALECTS.values():
        if all(mark in state for mark in dialect.marks):
            return dialect
    some = ", ".join(list(state)[:3])
    raise UserError(
        f"unknown checkpoint with {len(state)} arrays ({some} …); known are: {', '.join(DIALECTS)}"
    )


def describe(state: State, dialect: Dialect) -> tuple[str, dict[str, Any]]:
    """The network's name and what the state tells of its options.

    Raises:
      UserError: arrays that tell them are missing or have another rank.
    """
    try:
        return dialect.describe(state)
    except (KeyError, IndexError, ZeroDivisionError) as error:
        raise UserError(f"incomplete checkpoint ({type(error).__name__}: {error})") from None


def rename(state: State, dialect: Dialect) -> dict[str, np.ndarray]:
    """Applies a dialect's rules: flat ``a/b/kernel`` names, arrays in our axis order."""
    rules = [(_pattern(theirs), ours) for theirs, ours in dialect.rules]
    ignored = [_pattern(name) for name in dialect.ignored]
    flat = {}
    for key, value in state.items():
        if any(pattern.fullmatch(key) for pattern in ignored):
            continue
        name, _, leaf = key.rpartition(".")
        for pattern, ours in rules:
            if match := pattern.fullmatch(key):
                flat[_fill(ours, match, dialect.first)] = value
                break
            if leaf in ("weight", "bias") and (match := pattern.fullmatch(name)):
                leaf, value = translate_leaf(leaf, value)
                path = _fill(ours, match, dialect.first)
                flat[path + ("" if path.endswith("_") else "/") + leaf] = value
                break
        else:
            raise UserError(f"the checkpoint has {key!r}, which the published network has not")
    return flat


def translate_leaf(leaf: str, value: np.ndarray) -> tuple[str, np.ndarray]:
    """``weight`` → ``kernel`` (O I H W → H W I O, O I → I O) or a norm's ``scale``; ``bias`` stays."""
    if leaf == "bias":
        return "bias", value
    if value.ndim == 1:
        return "scale", value
    return "kernel", np.moveaxis(value, (1, 0), (-2, -1))


def fit(flat: dict[str, np.ndarray], network: str, options: dict[str, Any]) -> dict[str, Any]:
    """The parameter tree of ``network``, every array checked against the shape it must have.

    A 1×1 convolution may stand where we have a dense layer, and the other way round.
    """
    module = networks.create(network, **options)
    image = jax.ShapeDtypeStruct((1, 32, 32, 3), np.float32)
    expected = jax.eval_shape(module.init, jax.random.key(0), image)["params"]
    expected = flax.traverse_util.flatten_dict(expected, sep="/")
    if wrong := sorted(expected.keys() ^ flat.keys()):
        side = "lacks" if wrong[0] in expected else "has too much:"
        raise UserError(f"the checkpoint {side} {wrong[0]!r} for {network} with {options}")
    for name, value in flat.items():
        shape = expected[name].shape
        if tuple(n for n in value.shape if n > 1) != tuple(n for n in shape if n > 1):
            raise UserError(
                f"{name!r} has shape {value.shape}, but {network} with {options} needs {shape}"
            )
        flat[name] = np.ascontiguousarray(value.reshape(shape), np.float32)
    return flax.traverse_util.unflatten_dict(flat, sep="/")


def _pattern(name: str) -> re.Pattern:
    return re.compile(re.escape(name).replace(r"\#", r"(\d+)"))


def _fill(path: str, match: re.Match, first: int) -> str:
    numbers = iter(match.groups())
    return re.sub("#", lambda _: str(int(next(numbers)) - first), path)


def count(state: State, pattern: str) -> int:
    """How many different numbers the first ``#`` of ``pattern`` takes among the names."""
    matches = (_pattern(pattern).match(key) for key in state)
    return len({match[1] for match in matches if match})


# What the states tell ---------------------------------------------------------------------------


def _shuffle_scale(weight: np.ndarray) -> int:
    """Scale of a convolution to ``3·scale²`` channels before a pixel shuffle."""
    return round((weight.shape[0] / 3) ** 0.5)


def _stages_scale(state: State, stages: str) -> int:
    """Scale of convolutions to ``scale²`` times the channels: one ×2 or ×3, or ×2 twice."""
    keys = [key for key in state if _pattern(stages).match(key) and key.endswith(".weight")]
    steps = [round((state[key].shape[0] / state[key].shape[1]) ** 0.5) for key in keys]
    return int(np.prod(steps))


def _check_mean(state: State) -> None:
    """The official EDSR and RCAN keep their centring as a layer; it must be the one we apply."""
    expected = -255 * np.array(DIV2K_MEAN)
    if not np.allclose(state["sub_mean.bias"], expected, atol=1e-2):
        raise UserError(
            f"the checkpoint centres images by {state['sub_mean.bias']}, ours by {expected}"
        )


def _span(state: State) -> tuple[str, dict[str, Any]]:
    if "no_norm" in state:
        raise UserError("this SPAN was trained without centring its input, which ours cannot do")
    folded = "conv_1.sk.weight" not in state
    return "span", {
        "scale": _shuffle_scale(state["upsampler.0.weight"]),
        "features": state["conv_cat.weight"].shape[0],
        "folded": folded,
    }


def _pan(state: State) -> tuple[str, dict[str, Any]]:
    options = {
        "features": state["conv_first.weight"].shape[0],
        "head_features": state["upconv1.weight"].shape[0],
        "blocks": count(state, "SCPA_trunk.#."),
    }
    return "pan", options | ({"scale": 4} if "upconv2.weight" in state else {})


def _rlfn(state: State) -> tuple[str, dict[str, Any]]:
    return "rlfn", {
        "scale": _shuffle_scale(state["upsampler.0.weight"]),
        "features": state["conv_1.weight"].shape[0],
        "blocks": count(state, "block_#."),
        "attention_features": state["block_1.esa.conv1.weight"].shape[0],
    }


def _edsr(first: str, block: str, stages: str) -> Callable[[State], tuple[str, dict[str, Any]]]:
    def describe(state):
        if "sub_mean.bias" in state:
            _check_mean(state)
        options = {
            "scale": _stages_scale(state, stages),
            "features": state[first].shape[0],
            "blocks": count(state, block),
        }
        # Nothing stored tells the residual scale: the authors damp their wide network only.
        return ("edsr" if options["features"] > 64 else "edsr_baseline"), options

    return describe


def _rcan(
    first: str, group: str, block: str, squeeze: str, stages: str
) -> Callable[[State], tuple[str, dict[str, Any]]]:
    def describe(state):
        if "sub_mean.bias" in state:
            _check_mean(state)
        features = state[first].shape[0]
        return "rcan", {
            "scale": _stages_scale(state, stages),
            "features": features,
            "groups": count(state, group),
            "blocks": count(state, block),
            "reduction": features // state[squeeze].shape[0],
        }

    return describe


def _swinir(state: State) -> tuple[str, dict[str, Any]]:
    table = state["layers.0.residual_group.blocks.0.attn.relative_position_bias_table"]
    options = {
        "features": state["conv_first.weight"].shape[0],
        "groups": count(state, "layers.#."),
        "depth": count(state, "layers.0.residual_group.blocks.#."),
        "heads": table.shape[1],
        "window": (round(table.shape[0] ** 0.5) + 1) // 2,  # (2·window − 1)² offsets
    }
    if "conv_before_upsample.0.weight" in state:
        options["head_features"] = state["conv_before_upsample.0.weight"].shape[0]
        return "swinir", options | {"scale": _stages_scale(state, "upsample.#")}
    if "upsample.0.weight" in state:
        return "swinir_light", options | {"scale": _shuffle_scale(state["upsample.0.weight"])}
    raise UserError("this SwinIR does not enlarge; only its super-resolution networks are here")


def _hat(state: State) -> tuple[str, dict[str, Any]]:
    _, options = _swinir(state)
    table = state["layers.0.residual_group.overlap_attn.relative_position_bias_table"]
    window = options["window"]
    extra = round(table.shape[0] ** 0.5) + 1 - 2 * window  # (2·window + extra − 1)² offsets
    block = "layers.0.residual_group.blocks.0.conv_block.cab"
    features = options["features"]
    return "hat", options | {
        "overlap": extra / window,
        "compress": features // state[f"{block}.0.weight"].shape[0],
        "squeeze": features // state[f"{block}.3.attention.1.weight"].shape[0],
    }


def _unwrap_positions(state: State) -> State:
    """HAT's overlapping tables, ordered by key − query and wrapped around, into our order.

    Its code subtracts ``grown − 2`` too much from both offsets, so that most indices are negative and
    count from the table's end. Every row is still used once: a rotation puts them right, and reading
    backwards makes them offsets of query − key.
    """
    _, options = _hat(state)
    grown = round(options["window"] * (1 + options["overlap"]))
    span = options["window"] + grown - 1
    suffix = ".overlap_attn.relative_position_bias_table"
    return {
        key: np.roll(value, (grown - 2) * (span + 1), axis=0)[::-1]
        if key.endswith(suffix)
        else value
        for key, value in state.items()
    }


# The dialects -----------------------------------------------------------------------------------

_SPAN_BRANCHES = (("sk", "skip"), ("conv.0", "expand"), ("conv.1", "middle"), ("conv.2", "reduce"))


def _span_rules() -> tuple[tuple[str, str], ...]:
    """A row for each branch of each re-parameterised convolution, and for its folded form."""
    convs = (
        ("conv_1", "extract"),
        ("block_#.c#_r", "enhance/block_#/conv_#"),
        ("conv_2", "enhance/conv_last"),
    )
    branches = [
        (f"{theirs}.{branch}", f"{ours}/{name}_")
        for theirs, ours in convs
        for branch, name in _SPAN_BRANCHES
    ]
    folded = [(f"{theirs}.eval_conv", f"{ours}/conv") for theirs, ours in convs]
    return (
        *branches,
        *folded,
        ("conv_cat", "enhance/conv_join"),
        ("upsampler.0", "fuse/conv"),
    )


def _swin_layer_rules(theirs: str, ours: str, attention: str) -> tuple[tuple[str, str], ...]:
    """A Swin layer: SwinIR's, HAT's hybrid and HAT's overlapping one have the same parts."""
    return (
        (f"{theirs}.norm1", f"{ours}/norm_attention"),
        (f"{theirs}{attention}.relative_position_bias_table", f"{ours}/attention/position"),
        (f"{theirs}{attention}.qkv", f"{ours}/attention/qkv"),
        (f"{theirs}{attention}.proj", f"{ours}/attention/proj"),
        (f"{theirs}.norm2", f"{ours}/norm_mlp"),
        (f"{theirs}.mlp.fc1", f"{ours}/mlp/expand"),
        (f"{theirs}.mlp.fc2", f"{ours}/mlp/reduce"),
    )


_SWIN_RULES = (
    ("conv_first", "extract/conv"),
    ("patch_embed.norm", "enhance/norm_in"),
    *_swin_layer_rules("layers.#.residual_group.blocks.#", "enhance/group_#/layer_#", ".attn"),
    ("layers.#.conv", "enhance/group_#/conv"),
    ("norm", "enhance/norm_out"),
    ("conv_after_body", "enhance/conv"),
)
_CONV_BEFORE_STAGES = (
    ("conv_before_upsample.0", "fuse/conv_before"),
    ("upsample.0", "fuse/stage_0"),
    ("upsample.2", "fuse/stage_1"),
    ("conv_last", "fuse/conv_last"),
)
_SWIN_MARKS = (
    "patch_embed.norm.weight",
    "layers.0.residual_group.blocks.0.attn.relative_position_bias_table",
)
_SWIN_IGNORED = (  # constants that follow from the sizes
    "layers.#.residual_group.blocks.#.attn_mask",
    "layers.#.residual_group.blocks.#.attn.relative_position_index",
)

_SPAN_COMMON = {"describe": _span, "rules": _span_rules(), "first": 1}

# A network is added with its name(s) and one entry here; more specific marks come first.
DIALECTS: dict[str, Dialect] = {
    "SPAN": Dialect(  # as trained: the folded copy beside the branches may be stale
        marks=("conv_1.sk.weight", "block_1.c1_r.conv.0.weight", "conv_cat.weight"),
        ignored=tuple(
            f"{conv}.eval_conv.{leaf}"
            for conv in ("conv_1", "conv_2", "block_#.c#_r")
            for leaf in ("weight", "bias")
        ),
        **_SPAN_COMMON,
    ),
    "SPAN (folded)": Dialect(
        marks=("conv_1.eval_conv.weight", "block_1.c1_r.eval_conv.weight", "conv_cat.weight"),
        **_SPAN_COMMON,
    ),
    "PAN": Dialect(
        marks=("SCPA_trunk.0.PAConv.k2.weight", "upconv1.weight"),
        describe=_pan,
        rules=(
            ("conv_first", "extract/conv"),
            ("SCPA_trunk.#.conv1_a", "enhance/block_#/reduce_plain"),
            ("SCPA_trunk.#.conv1_b", "enhance/block_#/reduce_gated"),
            ("SCPA_trunk.#.k1.0", "enhance/block_#/conv_plain"),
            ("SCPA_trunk.#.PAConv.k2", "enhance/block_#/attention"),
            ("SCPA_trunk.#.PAConv.k3", "enhance/block_#/conv_gated"),
            ("SCPA_trunk.#.PAConv.k4", "enhance/block_#/conv_out"),
            ("SCPA_trunk.#.conv3", "enhance/block_#/join"),
            ("trunk_conv", "enhance/conv"),
            ("upconv1", "fuse/enlarge_0"),
            ("att1.conv", "fuse/attention_0/conv"),
            ("HRconv1", "fuse/conv_0"),
            ("upconv2", "fuse/enlarge_1"),
            ("att2.conv", "fuse/attention_1/conv"),
            ("HRconv2", "fuse/conv_1"),
            ("conv_last", "fuse/conv_last"),
        ),
    ),
    "RLFN": Dialect(
        marks=("block_1.esa.conv_f.weight", "block_1.c1_r.weight", "upsampler.0.weight"),
        describe=_rlfn,
        rules=(
            ("conv_1", "extract/conv"),
            ("block_#.c#_r", "enhance/block_#/conv_#"),
            ("block_#.c5", "enhance/block_#/mix"),
            ("block_#.esa.conv1", "enhance/block_#/attention/conv_1"),
            ("block_#.esa.conv2", "enhance/block_#/attention/conv_2"),
            ("block_#.esa.conv3", "enhance/block_#/attention/conv_3"),
            ("block_#.esa.conv4", "enhance/block_#/attention/conv_4"),
            ("block_#.esa.conv_f", "enhance/block_#/attention/conv_skip"),
            ("conv_2", "enhance/conv"),
            ("upsampler.0", "fuse/conv"),
        ),
        first=1,
    ),
    "HAT": Dialect(
        marks=(*_SWIN_MARKS, "layers.0.residual_group.overlap_attn.qkv.weight"),
        describe=_hat,
        prepare=_unwrap_positions,
        rules=(
            *_SWIN_RULES,
            *_swin_layer_rules(
                "layers.#.residual_group.overlap_attn", "enhance/group_#/crossing", ""
            ),
            *(
                (
                    f"layers.#.residual_group.blocks.#.conv_block.cab.{theirs}",
                    f"enhance/group_#/layer_#/channels/{ours}",
                )
                for theirs, ours in (
                    ("0", "conv_0"),
                    ("2", "conv_1"),
                    ("3.attention.1", "attention/down"),
                    ("3.attention.3", "attention/up"),
                )
            ),
            *_CONV_BEFORE_STAGES,
        ),
        ignored=(*_SWIN_IGNORED, "relative_position_index_SA", "relative_position_index_OCA"),
    ),
    "SwinIR": Dialect(
        marks=(*_SWIN_MARKS, "conv_before_upsample.0.weight"),
        describe=_swinir,
        rules=(*_SWIN_RULES, *_CONV_BEFORE_STAGES),
        ignored=_SWIN_IGNORED,
    ),
    "SwinIR-light": Dialect(
        marks=_SWIN_MARKS,
        describe=_swinir,
        rules=(*_SWIN_RULES, ("upsample.0", "fuse/conv")),
        ignored=_SWIN_IGNORED,
    ),
    "RCAN": Dialect(
        marks=("body.0.body.0.body.3.conv_du.0.weight", "sub_mean.bias", "tail.1.weight"),
        describe=_rcan(
            "head.0.weight",
            "body.#.body.",
            "body.0.body.#.body.",
            "body.0.body.0.body.3.conv_du.0.weight",
            "tail.0.#",
        ),
        rules=(
            ("head.0", "extract/conv"),
            ("body.#.body.#.body.0", "enhance/group_#/block_#/conv_0"),
            ("body.#.body.#.body.2", "enhance/group_#/block_#/conv_1"),
            ("body.#.body.#.body.3.conv_du.0", "enhance/group_#/block_#/attention/down"),
            ("body.#.body.#.body.3.conv_du.2", "enhance/group_#/block_#/attention/up"),
            ("body.#.body.#", "enhance/group_#/conv"),
            ("body.#", "enhance/conv"),
            ("tail.0.0", "fuse/stage_0"),
            ("tail.0.2", "fuse/stage_1"),
            ("tail.1", "fuse/conv_last"),
        ),
        ignored=("sub_mean.weight", "sub_mean.bias", "add_mean.weight", "add_mean.bias"),
    ),
    "RCAN (BasicSR)": Dialect(
        marks=("body.0.residual_group.0.rcab.3.attention.1.weight", "conv_after_body.weight"),
        describe=_rcan(
            "conv_first.weight",
            "body.#.residual_group.",
            "body.0.residual_group.#.",
            "body.0.residual_group.0.rcab.3.attention.1.weight",
            "upsample.#",
        ),
        rules=(
            ("conv_first", "extract/conv"),
            ("body.#.residual_group.#.rcab.0", "enhance/group_#/block_#/conv_0"),
            ("body.#.residual_group.#.rcab.2", "enhance/group_#/block_#/conv_1"),
            (
                "body.#.residual_group.#.rcab.3.attention.1",
                "enhance/group_#/block_#/attention/down",
            ),
            ("body.#.residual_group.#.rcab.3.attention.3", "enhance/group_#/block_#/attention/up"),
            ("body.#.conv", "enhance/group_#/conv"),
            ("conv_after_body", "enhance/conv"),
            ("upsample.0", "fuse/stage_0"),
            ("upsample.2", "fuse/stage_1"),
            ("conv_last", "fuse/conv_last"),
        ),
    ),
    "EDSR": Dialect(
        marks=("head.0.weight", "body.0.body.2.weight", "sub_mean.bias", "tail.1.weight"),
        describe=_edsr("head.0.weight", "body.#.body.", "tail.0.#"),
        rules=(
            ("head.0", "extract/conv"),
            ("body.#.body.0", "enhance/block_#/conv_0"),
            ("body.#.body.2", "enhance/block_#/conv_1"),
            ("body.#", "enhance/conv"),
            ("tail.0.0", "fuse/stage_0"),
            ("tail.0.2", "fuse/stage_1"),
            ("tail.1", "fuse/conv_last"),
        ),
        ignored=("sub_mean.weight", "sub_mean.bias", "add_mean.weight", "add_mean.bias"),
    ),
    "EDSR (BasicSR)": Dialect(
        marks=("body.0.conv1.weight", "conv_after_body.weight", "upsample.0.weight"),
        describe=_edsr("conv_first.weight", "body.#.", "upsample.#"),
        rules=(
            ("conv_first", "extract/conv"),
            ("body.#.conv1", "enhance/block_#/conv_0"),
            ("body.#.conv2", "enhance/block_#/conv_1"),
            ("conv_after_body", "enhance/conv"),
            ("upsample.0", "fuse/stage_0"),
            ("upsample.2", "fuse/stage_1"),
            ("conv_last", "fuse/conv_last"),
        ),
    ),
}
