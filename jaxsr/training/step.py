"""One training step of one device, written once for every way of mapping it over devices."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from jaxsr.training.state import TrainState

AXIS = "batch"  # the mapped axis's name

Params = dict[str, Any]
Batch = dict[str, Array]  # arrays whose first axis is the example
Metrics = dict[str, Float[Array, ""]]
# loss(params, batch, frozen) → the scalar to lower, and named parts of it: means over examples
LossFn = Callable[[Params, Batch, Params], tuple[Float[Array, ""], Metrics]]
Step = Callable[[TrainState, Batch, Params], tuple[TrainState, Metrics]]


def make_step(
    loss_fn: LossFn,
    optimizer: optax.GradientTransformation,
    *,
    ema_decay: float = 0.999,
    accumulate: int = 1,
    schedule: Callable | None = None,
    mapped: bool = True,
) -> Step:
    """Make the step of one device, ``(state, its part of the batch, frozen) → (state, metrics)``.

    It must run under a mapped axis named ``AXIS``: gradients and metrics are averaged over it, so
    every device leaves with the same state. Metrics are the loss, its parts by their names, and the
    norms of gradient and update.

    Args:
      ema_decay: of the moving average of the parameters.
      accumulate: pieces in which a part is taken, one after the other, at the memory of one.
      schedule: (step, horizon) → learning rate; given, it is among the metrics.
      mapped: False makes the step of all devices as one, which takes the whole batch and is under
        no mapped axis.
    """
    optimizer = optax.with_extra_args_support(optimizer)
    loss_and_slope = _accumulated(jax.value_and_grad(loss_fn, has_aux=True), accumulate)

    def step(state: TrainState, batch: Batch, frozen: Params) -> tuple[TrainState, Metrics]:
        found = loss_and_slope(state.params, batch, frozen)
        (loss, parts), grads = jax.lax.pmean(found, AXIS) if mapped else found
        updates, opt_state = optimizer.update(
            grads, state.opt_state, state.params, horizon=state.horizon
        )
        params = optax.apply_updates(state.params, updates)
        count = state.step + 1
        # the decay grows from 0.18 to its final value: an average over what there is so far
        decay = jnp.minimum(ema_decay, (1.0 + count) / (10.0 + count))
        ema = jax.tree.map(lambda e, p: e + (1 - decay) * (p - e), state.ema, params)
        metrics = parts | {
            "loss": loss,
            "grad_norm": optax.tree.norm(grads),
            "update_norm": optax.tree.norm(updates),  # not finite: neither are the parameters now
        }
        if schedule is not None:
            metrics["learning_rate"] = jnp.asarray(schedule(state.step, state.horizon))
        return TrainState(count, state.horizon, params, ema, opt_state), metrics

    return step


def drawing(step: Step, draw: Callable, batch_size: int, mapped: bool = True) -> Step:
    """Make a step draw its part of the batch from arrays on its device.

    Args:
      step: as :func:`make_step` makes it.
      draw: (arrays, number of the step, places in the batch) → batch.
      batch_size: of all devices together.
      mapped: as for :func:`make_step`.

    Returns:
      ``(state, arrays, frozen) → (state, metrics)``.
    """

    def draw_and_step(state: TrainState, arrays: Any, frozen: Params):
        devices, this = (jax.lax.axis_size(AXIS), jax.lax.axis_index(AXIS)) if mapped else (1, 0)
        share = batch_size // devices
        places = this * share + jnp.arange(share)
        return step(state, draw(arrays, state.step, places), frozen)

    return draw_and_step


def repeated(step: Step, count: int) -> Step:
    """Make ``count`` steps one function; its metrics are those of each, stacked."""

    def several(state: TrainState, arrays: Any, frozen: Params):
        return jax.lax.scan(lambda state, _: step(state, arrays, frozen), state, length=count)

    return several


def _accumulated(one: Callable, pieces: int) -> Callable:
    """Average ``one(params, batch, frozen)`` over ``pieces`` equal pieces of the batch."""
    if pieces == 1:
        return one

    def many(params, batch, frozen):
        parts = jax.tree.map(lambda x: x.reshape(pieces, -1, *x.shape[1:]), batch)
        first = jax.tree.map(lambda x: x[0], parts)
        shapes = jax.eval_shape(one, params, first, frozen)
        zero = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), shapes)

        def add(total, part):
            return jax.tree.map(jnp.add, total, one(params, part, frozen)), None

        total, _ = jax.lax.scan(add, zero, parts)
        return jax.tree.map(lambda x: x / pieces, total)

    return many
