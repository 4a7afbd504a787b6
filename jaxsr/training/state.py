"""What a training run carries from step to step."""

from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax


@flax.struct.dataclass
class TrainState:
    """Parameters, their moving average and the optimiser's state after ``step`` steps."""

    step: Any  # int32 scalar; a tree of specs or of NumPy arrays is a state too
    params: dict
    ema: dict
    opt_state: optax.OptState


def new_state(params: dict, optimizer: optax.GradientTransformation) -> TrainState:
    """Return the state before the first step; the average starts at the parameters themselves."""
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        ema=jax.tree.map(jnp.copy, params),  # its own buffers: both are donated
        opt_state=optimizer.init(params),
    )
