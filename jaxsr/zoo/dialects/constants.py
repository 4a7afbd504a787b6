"""What PyTorch code keeps beside its parameters, and asks for when it loads them strictly.

All of it follows from the sizes of the network. Our networks compute it.
"""

import numpy as np
from jaxtyping import Array

from jaxsr.attention.window import (
    Shift,
    Window,
    relative_positions,
    shifted_window_mask,
    sides,
)
from jaxsr.networks.upscaler import DIV2K_MEAN
from jaxsr.zoo.dialects.state import MEAN_LAYERS, State

MASKED = -100.0  # is added where a query may not see a key


def position_index(window: Window) -> np.ndarray:
    """Return the number of the row in the table of positions, for each query and key."""
    return relative_positions(window).astype(np.int64)


def shift_mask(size: int, window: Window, shift: Shift) -> np.ndarray:
    """Return what is added to the logits of an image of ``size`` pixels a side, by window."""
    return added(shifted_window_mask(size, size, window, shift))


def added(seen: Array) -> np.ndarray:
    """Return what is added to logits: 0 where a query may see a key."""
    return np.where(seen, np.float32(0), np.float32(MASKED))


def square_windows(
    layers: dict[str, int], attention: str, window: int, size: int | None = None
) -> State:
    """Return index and mask of layers with square windows.

    Args:
      layers: the names of layers → pixels by which their windows are shifted.
      attention: what follows a layer's name before that of the index.
      size: of the image that masks are for; the smallest that has any unless given.
    """
    rows = position_index(window)
    index = {f"{name}{attention}.relative_position_index": rows for name in layers}
    masks = {
        f"{name}.attn_mask": shift_mask(size or 2 * window, window, shift)
        for name, shift in layers.items()
        if shift
    }
    return index | masks


def rectangles(name: str, window: Window, shift: Shift, size: int) -> State:
    """Return offsets, index and masks of an attention in lying and standing rectangles.

    Args:
      name: of the attention.
      window: of the first half of the channels, height and width.
      shift: of its windows; there are no masks without.
      size: of the image that masks are for.
    """
    state = {}
    for i in (0, 1):
        turned, moved = sides(window)[:: 1 - 2 * i], sides(shift)[:: 1 - 2 * i]
        offsets = np.meshgrid(*(np.arange(1 - side, side) for side in turned), indexing="ij")
        state[f"{name}.attns.{i}.rpe_biases"] = np.stack(offsets, -1).reshape(-1, 2)
        state[f"{name}.attns.{i}.relative_position_index"] = position_index(turned)
        if any(moved):
            state[f"{name}.attn_mask_{i}"] = shift_mask(size, turned, moved)
    return state


def sample_places(offset: np.ndarray, scale: int) -> np.ndarray:
    """Return where DySample's new pixels lie in their old one, from its middle, in pixels.

    Args:
      offset: the kernel of the convolution to as many numbers: across and down, by group.
    """
    groups = offset.shape[0] // (2 * scale**2)
    places = ((np.arange(scale) - (scale - 1) / 2) / scale).astype(np.float32)
    down, across = np.meshgrid(places, places, indexing="ij")
    both = [np.tile(axis.reshape(-1), groups) for axis in (across, down)]
    return np.concatenate(both).reshape(1, -1, 1, 1)


def mean_layers() -> State:
    """Return the layers by which the authors of EDSR and RCAN subtract and add the mean colour."""
    identity = np.eye(3, dtype=np.float32)[..., None, None]
    mean = 255 * np.array(DIV2K_MEAN, np.float32)
    return dict(zip(MEAN_LAYERS, (identity, -mean, identity, mean), strict=True))
