"""Restormer's checkpoints, but for those that see two images (dual-pixel defocus)."""

from jaxsr.zoo.dialects.dialect import Description, Dialect
from jaxsr.zoo.dialects.state import State, count

RATIO = 2.66  # the published one; of another, hidden channels tell enough
PARTS = (
    ("norm1.body", "norm_attention"),
    ("attn.temperature", "attention/temperature"),
    ("attn.qkv", "attention/qkv"),
    ("attn.qkv_dwconv", "attention/qkv_local"),
    ("attn.project_out", "attention/project"),
    ("norm2.body", "norm_mlp"),
    ("ffn.project_in", "mlp/expand"),
    ("ffn.dwconv", "mlp/local"),
    ("ffn.project_out", "mlp/reduce"),
)
PLACES = (
    *((f"encoder_level{n + 1}.#", f"enhance/encode_{n}_#") for n in range(3)),
    ("latent.#", "enhance/middle_#"),
    *((f"decoder_level{3 - n}.#", f"enhance/decode_{n}_#") for n in range(3)),
    ("refinement.#", "enhance/refine_#"),
)


def describe(state: State) -> Description:
    """Read the size: every level has its own number of blocks."""
    features, channels = state["patch_embed.proj.weight"].shape[:2]
    wide, hidden = state["latent.0.ffn.project_out.weight"].shape[:2]
    return "restormer", {
        "scale": 1,
        "features": features,
        "encoder": [count(state, f"encoder_level{n}.#.") for n in (1, 2, 3)],
        "middle": count(state, "latent.#."),
        "decoder": [count(state, f"decoder_level{n}.#.") for n in (3, 2, 1)],
        "refinement": count(state, "refinement.#."),
        "heads": state["encoder_level1.0.attn.temperature"].shape[0],
        "ratio": RATIO if int(wide * RATIO) == hidden else (hidden + 0.5) / wide,
        "centred": "encoder_level1.0.norm1.body.bias" in state,
        "channels": channels,
    }


DIALECTS = (
    Dialect(
        name="Restormer",
        has=("patch_embed.proj.weight", "encoder_level1.0.attn.temperature", "output.weight"),
        lacks=("skip_conv.weight",),
        describe=describe,
        rules=(
            ("patch_embed.proj", "extract/conv"),
            *(
                (f"{place}.{theirs}", f"{ours}/{name}")
                for place, ours in PLACES
                for theirs, name in PARTS
            ),
            *((f"down{n + 1}_{n + 2}.body.0", f"enhance/down_{n}") for n in range(3)),
            *((f"up{4 - n}_{3 - n}.body.0", f"enhance/up_{n}") for n in range(3)),
            *((f"reduce_chan_level{3 - n}", f"enhance/reduce_{n}") for n in range(2)),
            ("output", "fuse/conv"),
        ),
        expanded=tuple((f"{place}.attn.temperature", (1, 2)) for place, _ in PLACES),
    ),
)
