"""SPAN's checkpoints: as trained, and folded."""

from jaxsr.zoo.dialects.dialect import Description, Dialect, Rules
from jaxsr.zoo.dialects.state import State, shuffle_scale

TRAINED = "conv_1.sk.weight"  # a branch, which only the training form has
CONVOLUTIONS = (  # re-parameterised ones: theirs, ours
    ("conv_1", "extract"),
    ("block_#.c#_r", "enhance/block_#/conv_#"),
    ("conv_2", "enhance/conv_last"),
)
BRANCHES = (("sk", "skip"), ("conv.0", "expand"), ("conv.1", "middle"), ("conv.2", "reduce"))
PLAIN: Rules = (("conv_cat", "enhance/conv_join"), ("upsampler.0", "fuse/conv"))


def describe(state: State) -> Description:
    """Read channels, scale, size and form.

    A key without values, ``no_norm``, says that images are seen as they are. Where it lacks, mean
    and range are the paper's; nothing tells others.
    """
    kernel = state[TRAINED if TRAINED in state else "conv_1.eval_conv.weight"]
    channels = kernel.shape[1]
    options = {
        "scale": shuffle_scale(state["upsampler.0.weight"], channels),
        "channels": channels,
        "features": state["conv_cat.weight"].shape[0],
        "folded": TRAINED not in state,
    }
    plain = {"mean": (0.0,), "value_range": 1.0} if "no_norm" in state else {}
    return "span", options | plain


DIALECTS = (
    Dialect(
        name="SPAN",
        has=(TRAINED, "block_1.c1_r.conv.0.weight", "conv_cat.weight"),
        describe=describe,
        rules=(
            *(
                (f"{theirs}.{branch}", f"{ours}/{name}_")
                for theirs, ours in CONVOLUTIONS
                for branch, name in BRANCHES
            ),
            *PLAIN,
        ),
        # the folded copy beside the branches may be stale
        ignored=(
            "no_norm",
            *(
                f"{theirs}.eval_conv.{leaf}"
                for theirs, _ in CONVOLUTIONS
                for leaf in ("weight", "bias")
            ),
        ),
        first=1,
    ),
    Dialect(
        name="SPAN (folded)",
        has=("conv_1.eval_conv.weight", "block_1.c1_r.eval_conv.weight", "conv_cat.weight"),
        lacks=(TRAINED,),
        describe=describe,
        rules=(
            *((f"{theirs}.eval_conv", f"{ours}/conv") for theirs, ours in CONVOLUTIONS),
            *PLAIN,
        ),
        ignored=("no_norm",),
        first=1,
    ),
)
