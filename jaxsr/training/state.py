"""What a training run carries from step to step."""

from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax


@flax.struct.dataclass
class TrainState:
    """Parameters, their moving average and the optimiser's state after ``step`` steps.

    Step and horizon are int32 scalars. The horizon is the number of steps of the whole run, where
    its speed has decided that; 0: as many as the config says. A tree of shapes or of NumPy arrays
    is a state, too.
    """

    step: Any
    horizon: Any
    params: dict
    ema: dict
    opt_state: optax.OptState


def new_state(params: dict, optimizer: optax.GradientTransformation) -> TrainState:
    """Return the state before the first step; the average starts at the parameters themselves."""
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        horizon=jnp.zeros((), jnp.int32),
        params=params,
        ema=jax.tree.map(jnp.copy, params),  # its own buffers: both are donated
        opt_state=optimizer.init(params),
    )
