"""PLKSR's checkpoints, and RealPLKSR's: layers counted through, from the image to the image."""

from typing import Any

from jaxsr.errors import UserError
from jaxsr.zoo.dialects.constants import sample_places
from jaxsr.zoo.dialects.dialect import Description, Dialect, Options, Rules
from jaxsr.zoo.dialects.state import State, count, shuffle_scale

MIXER = "feats.1.channe_mixer"  # so it is spelt there
REAL_MIXER = "feats.1.channel_mixer"
LARGE = "feats.1.lk.conv.weight"
MIXERS = {(3, 1): "CCM", (1, 3): "ICCM", (3, 3): "DCCM"}


def common(state: State) -> dict[str, Any]:
    """Read what both have.

    Raises:
      UserError: the large kernel is one of the paper's ablations.
    """
    if LARGE not in state:
        raise UserError("this PLKSR has sparse or rectangular large kernels; only square are here")
    last = max(int(key.split(".")[1]) for key in state if key.startswith("feats."))
    return {
        "scale": shuffle_scale(state[f"feats.{last}.weight"]),
        "features": state["feats.0.weight"].shape[0],
        "blocks": count(state, "feats.#.refine.weight"),
        "kernel": state[LARGE].shape[-1],
        "part": state[LARGE].shape[0],
        "attention": "feats.1.attn.f.0.weight" in state,
    }


def describe(state: State) -> Description:
    """Read size and scale; the mixer off the sides of its kernels."""
    sides = (state[f"{MIXER}.{i}.weight"].shape[-1] for i in (0, 2))
    return "plksr", common(state) | {"mixer": MIXERS[tuple(sides)]}


def describe_real(state: State) -> Description:
    """Read size, scale and head. Groups of the norm are not told: 4, as published."""
    return "realplksr", common(state) | {
        "layer_norm": "feats.1.layer_norm.weight" in state,
        "head": "dysample" if "to_img.offset.weight" in state else "shuffle",
    }


def finish_real(state: State, options: Options) -> State:
    """Name layer norms, and leave a number for the layer before the last, which has no parameters.

    DySample's head keeps the places of new pixels.
    """
    last = max(int(key.split(".")[1]) for key in state if key.startswith("feats."))
    finished = {}
    for key, value in state.items():
        key = key.replace(f"feats.{last}.", f"feats.{last + 1}.")
        finished[key.replace(".norm.", ".layer_norm.") if options["layer_norm"] else key] = value
    if "to_img.offset.weight" in state:
        finished["to_img.init_pos"] = sample_places(state["to_img.offset.weight"], options["scale"])
    return finished


def rules(mixer: str) -> Rules:
    """Return the rules, given what the mixers are called."""
    return (
        ("feats.0", "extract/conv"),
        (f"feats.#.{mixer}.0", "enhance/block_#/mix_0"),
        (f"feats.#.{mixer}.2", "enhance/block_#/mix_1"),
        ("feats.#.lk.conv", "enhance/block_#/large"),
        ("feats.#.attn.f.0", "enhance/block_#/attention"),
        ("feats.#.refine", "enhance/block_#/refine"),
        ("feats.#.norm", "enhance/block_#/norm"),
        ("feats.#.layer_norm", "enhance/block_#/norm"),
        ("feats.#", "fuse/conv"),
        ("to_img.offset", "fuse/sample/offset"),
        ("to_img.scope", "fuse/sample/scope"),
        ("to_img.end_conv", "fuse/final"),
    )


DIALECTS = (
    Dialect(
        name="PLKSR",
        has=("feats.0.weight", f"{MIXER}.0.weight", "feats.1.refine.weight"),
        describe=describe,
        rules=rules("channe_mixer"),
        first=1,
    ),
    Dialect(
        name="RealPLKSR",
        has=("feats.0.weight", f"{REAL_MIXER}.0.weight", "feats.1.refine.weight"),
        describe=describe_real,
        rules=rules("channel_mixer"),
        ignored=("to_img.init_pos",),  # the regular grid
        finish=finish_real,
        first=1,
    ),
)
