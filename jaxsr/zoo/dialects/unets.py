"""The U-Nets of one code base: DRUNet, FBCNN and SCUNet, alike in their levels' names."""

import re
from collections.abc import Iterable

import numpy as np

from jaxsr.errors import UserError
from jaxsr.zoo.dialects.dialect import Description, Dialect, Options, Rules
from jaxsr.zoo.dialects.state import State, count

LEVELS = (1, 2, 3)
RESIDUAL = (("res.0", "conv_0"), ("res.2", "conv_1"))
SCUNET_PARTS = (
    ("conv1_1", "split"),
    ("conv1_2", "join"),
    ("conv_block.0", "conv/conv_0"),
    ("conv_block.2", "conv/conv_1"),
    ("trans_block.ln1", "swin/norm_attention"),
    ("trans_block.msa.relative_position_params", "swin/attention/position"),
    ("trans_block.msa.embedding_layer", "swin/attention/qkv"),
    ("trans_block.msa.linear", "swin/attention/proj"),
    ("trans_block.ln2", "swin/norm_mlp"),
    ("trans_block.mlp.0", "swin/mlp/expand"),
    ("trans_block.mlp.2", "swin/mlp/reduce"),
)
TABLE = "trans_block.msa.relative_position_params"


def levels(parts: Iterable[tuple[str, str]]) -> Rules:
    """Return the rules of the ways down and back, given those of a block's parts."""
    parts = tuple(parts)
    return (
        *((f"m_down{n}.#.{t}", f"enhance/encode_{n - 1}_#/{o}") for n in LEVELS for t, o in parts),
        *((f"m_up{n}.#.{t}", f"enhance/decode_{3 - n}_#/{o}") for n in LEVELS for t, o in parts),
        *((f"m_down{n}.#", f"enhance/down_{n - 1}") for n in LEVELS),
        *((f"m_up{n}.#", f"enhance/up_{3 - n}") for n in LEVELS),
    )


def prepare(state: State) -> State:
    """Bring doublings and their blocks' numbers, position tables and quality's layers into ours.

    A transposed convolution of 2×2 with stride 2 is one of 1×1 to four times the channels before a
    pixel shuffle; it is the first of its level's layers, so blocks count from 1 there.
    """
    blocks = count(state, "qf_pred.#.res.0.weight")
    return {_numbered(key, blocks): _arranged(key, value) for key, value in state.items()}


def _numbered(key: str, blocks: int) -> str:
    if match := re.fullmatch(r"(m_up\d)\.(\d+)\.(.+\..+)", key):
        return f"{match[1]}.{int(match[2]) - 1}.{match[3]}"
    if match := re.fullmatch(r"qf_pred\.(\d+)\.(\w+)", key):  # behind the blocks and the mean
        return f"qf_pred.{(int(match[1]) - blocks - 2) // 2}.{match[2]}"
    return key


def _arranged(key: str, value: np.ndarray) -> np.ndarray:
    if key.endswith(TABLE):
        return value.reshape(value.shape[0], -1).T
    if re.fullmatch(r"m_up\d\.0\.weight", key):
        return value.transpose(1, 2, 3, 0).reshape(-1, value.shape[0], 1, 1)
    return np.repeat(value, 4) if re.fullmatch(r"m_up\d\.0\.bias", key) else value


def finish(state: State, options: Options) -> State:
    """Undo :func:`prepare`.

    Raises:
      UserError: the four pixels of a doubling have biases of their own.
    """
    blocks = count(state, "qf_pred.#.res.0.weight")
    return {_counted(key, blocks): _turned(key, value) for key, value in state.items()}


def _counted(key: str, blocks: int) -> str:
    if match := re.fullmatch(r"(m_up\d)\.(\d+)\.(.+\..+)", key):
        return f"{match[1]}.{int(match[2]) + 1}.{match[3]}"
    if match := re.fullmatch(r"qf_pred\.(\d+)\.(\w+)", key):
        return f"qf_pred.{2 * int(match[1]) + blocks + 2}.{match[2]}"
    return re.sub(r"(m_up\d)\.\d+\.(weight|bias)", r"\1.0.\2", key)


def _turned(key: str, value: np.ndarray) -> np.ndarray:
    if key.endswith(TABLE):
        side = round(value.shape[0] ** 0.5)
        return value.T.reshape(-1, side, side)
    if re.fullmatch(r"m_up\d\.\d+\.weight", key):
        return value.reshape(-1, 2, 2, value.shape[1]).transpose(3, 0, 1, 2)
    if not re.fullmatch(r"m_up\d\.\d+\.bias", key):
        return value
    biases = value.reshape(-1, 4)
    if not np.allclose(biases, biases[:, :1], rtol=0, atol=1e-7):
        raise UserError("the four pixels of its doublings have learned biases of their own")
    return biases[:, 0]


def describe_drunet(state: State) -> Description:
    """Read the size; the noise is not told: 15/255."""
    return "drunet", {
        "scale": 1,
        "features": state["m_head.weight"].shape[0],
        "blocks": count(state, "m_body.#."),
        "channels": state["m_tail.weight"].shape[0],
    }


def describe_fbcnn(state: State) -> Description:
    """Read the size; the quality is found in the image."""
    return "fbcnn", {
        "scale": 1,
        "features": state["m_head.weight"].shape[0],
        "blocks": count(state, "m_body_encoder.#."),
        "hidden": state["qf_embed.0.weight"].shape[0],
        "channels": state["m_tail.weight"].shape[0],
    }


def describe_scunet(state: State) -> Description:
    """Read the size; heads and window off the tables of positions."""
    heads, offsets, _ = state[f"m_body.0.{TABLE}"].shape
    features, channels = state["m_head.0.weight"].shape[:2]
    return "scunet", {
        "scale": 1,
        "features": features,
        "encoder": [count(state, f"m_down{n}.#.{TABLE}") for n in LEVELS],
        "middle": count(state, f"m_body.#.{TABLE}"),
        "decoder": [count(state, f"m_up{n}.#.{TABLE}") for n in reversed(LEVELS)],
        "head_features": 4 * features // heads,
        "window": (offsets + 1) // 2,
        "channels": channels,
    }


DIALECTS = (
    Dialect(
        name="DRUNet",
        has=("m_head.weight", "m_down1.0.res.0.weight", "m_body.0.res.0.weight", "m_tail.weight"),
        describe=describe_drunet,
        prepare=prepare,
        finish=finish,
        rules=(
            ("m_head", "extract/conv"),
            *levels(RESIDUAL),
            *((f"m_body.#.{t}", f"enhance/middle_#/{o}") for t, o in RESIDUAL),
            ("m_tail", "fuse/conv"),
        ),
    ),
    Dialect(
        name="FBCNN",
        has=("m_head.weight", "m_body_encoder.0.res.0.weight", "qf_pred.0.res.0.weight"),
        describe=describe_fbcnn,
        prepare=prepare,
        finish=finish,
        rules=(
            ("m_head", "extract/conv"),
            *levels(RESIDUAL),
            *((f"m_body_encoder.#.{t}", f"enhance/middle_down_#/{o}") for t, o in RESIDUAL),
            *((f"m_body_decoder.#.{t}", f"enhance/middle_up_#/{o}") for t, o in RESIDUAL),
            *((f"qf_pred.#.{t}", f"enhance/predict_#/{o}") for t, o in RESIDUAL),
            ("qf_pred.#", "enhance/predict_dense_#"),
            *((f"qf_embed.{2 * i}", f"enhance/embed_{i}") for i in range(3)),
            *((f"to_gamma_{n}.0", f"enhance/gain_{3 - n}") for n in LEVELS),
            *((f"to_beta_{n}.0", f"enhance/shift_{3 - n}") for n in LEVELS),
            ("m_tail", "fuse/conv"),
        ),
    ),
    Dialect(
        name="SCUNet",
        has=("m_head.0.weight", f"m_body.0.{TABLE}", "m_tail.0.weight"),
        describe=describe_scunet,
        prepare=prepare,
        finish=finish,
        rules=(
            ("m_head.0", "extract/conv"),
            *levels(SCUNET_PARTS),
            *((f"m_body.#.{t}", f"enhance/middle_#/{o}") for t, o in SCUNET_PARTS),
            ("m_tail.0", "fuse/conv"),
        ),
    ),
)
