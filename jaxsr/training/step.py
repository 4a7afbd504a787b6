"""One training step of one device, written once for every way of mapping it over devices."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array

from jaxsr.training.state import TrainState

AXIS = "batch"  # the mapped axis's name

# loss(params, batch) → scalar; batch is a dict of arrays whose first axis is the example
LossFn = Callable[[dict, dict], Array]


def make_step(
    loss_fn: LossFn,
    optimizer: optax.GradientTransformation,
    *,
    ema_decay: float = 0.999,
    accumulate: int = 1,
) -> Callable[[TrainState, dict], tuple[TrainState, dict]]:
    """The per-device step ``(state, this device's part of the batch) → (state, metrics)``.

    It must run under a mapped axis named ``AXIS``: gradients and metrics are averaged over it, so
    every device leaves with the same state. With ``accumulate > 1`` the part is taken in that many
    pieces, one after the other, at the memory of one.
    """

    def step(state: TrainState, batch: dict) -> tuple[TrainState, dict]:
        loss, grads = _accumulated(loss_fn, accumulate)(state.params, batch)
        loss, grads = jax.lax.pmean((loss, grads), AXIS)
        updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        count = state.step + 1
        # the decay grows from 0.18 to its final value: an average over what there is so far
        decay = jnp.minimum(ema_decay, (1.0 + count) / (10.0 + count))
        ema = jax.tree.map(lambda e, p: e + (1 - decay) * (p - e), state.ema, params)
        metrics = {
            "loss": loss,
            "grad_norm": optax.tree.norm(grads),
            "update_norm": optax.tree.norm(updates),  # not finite: neither are the parameters now
        }
        return TrainState(count, params, ema, opt_state), metrics

    return step


def _accumulated(loss_fn: LossFn, pieces: int):
    """``value_and_grad(loss_fn)`` as the mean over ``pieces`` equal pieces of the batch."""
    one = jax.value_and_grad(loss_fn)
    if pieces == 1:
        return one

    def many(params, batch):
        parts = jax.tree.map(lambda x: x.reshape(pieces, -1, *x.shape[1:]), batch)
        zero = jax.tree.map(jnp.zeros_like, jax.eval_shape(lambda p: (jnp.zeros(()), p), params))

        def add(total, part):
            return jax.tree.map(jnp.add, total, one(params, part)), None

        total, _ = jax.lax.scan(add, zero, parts)
        return jax.tree.map(lambda x: x / pieces, total)

    return many
