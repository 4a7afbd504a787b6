"""The optimiser a config describes: schedule, clipping, Adam, AdamW or Muon (optax)."""

import functools
import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import optax
from jaxtyping import Array, Float, Int
from optax.contrib import MuonDimensionNumbers

from jaxsr.errors import UserError

Count = int | Int[Array, ""]
Schedule = Callable[..., Float[Array, ""]]  # see make_schedule
MUON_CHANNELS = 16  # a kernel with fewer on either side is too thin a matrix to orthogonalise
MUON_RMS = 0.2  # of an update: that of Adam's, so that one learning rate suits both


def default_config() -> ml_collections.ConfigDict:
    """Return the optimiser's options with their defaults; steps are optimiser steps."""
    return ml_collections.ConfigDict(
        {
            "name": "adam",  # or "adamw", "muon"
            "learning_rate": 5e-4,
            "schedule": "cosine",  # or "multistep", "constant", "stable"
            "warmup_steps": 0,
            "final_fraction": 0.01,  # cosine, stable: last learning rate / first
            "decay_steps": 0,  # stable: the last steps, in which the rate falls to that
            # multistep: fractions of the steps after warm-up at which the rate is multiplied …
            "milestones": (0.5, 0.8, 0.9, 0.95),
            "factor": 0.5,  # … by this
            "b1": 0.9,
            "b2": 0.99,
            "weight_decay": 0.0,  # adamw: of kernels; muon: of those that it updates itself
            "adam_fraction": 1.0,  # muon: learning rate of the rest, over that of its kernels
            "clip_norm": 0.0,  # of the global gradient; 0 = off
        }
    )


def make_schedule(config: ml_collections.ConfigDict, steps: int) -> Schedule:
    """Return the learning rate over ``steps`` steps: linear warm-up, then the named decay.

    "stable" is constant up to the last ``decay_steps``, and linear in them (warm-up–stable–decay).
    A run can be prolonged from a checkpoint of its constant part by raising ``steps``, as if it
    had been meant so from the start. Source: Hu et al., "MiniCPM" (2024), section 4.2.

    Returns:
      (step, horizon) → learning rate. A horizon of more than 0 is a number of steps that counts in
      place of ``steps``; both may be traced.

    Raises:
      UserError: the schedule is unknown.
    """
    if config.schedule not in DECAYS:
        raise UserError(
            f"config.optimizer.schedule is {config.schedule!r}; there are: {', '.join(DECAYS)}"
        )
    decay, warmup = DECAYS[config.schedule], config.warmup_steps

    def schedule(step: Count, horizon: Count = 0) -> Float[Array, ""]:
        total = jnp.where(jnp.asarray(horizon) > 0, horizon, steps)
        rest = jnp.maximum(1, total - warmup).astype(jnp.float32)
        after = jnp.asarray(step - warmup, jnp.float32)
        decayed = decay(config, jnp.clip(after, 0, rest), rest)
        return config.learning_rate * jnp.where(after < 0, 1 + after / max(1, warmup), decayed)

    return schedule


def _cosine(config: ml_collections.ConfigDict, after: Any, rest: Any) -> Any:
    last = config.final_fraction
    return last + (1 - last) * (1 + jnp.cos(jnp.pi * after / rest)) / 2


def _multistep(config: ml_collections.ConfigDict, after: Any, rest: Any) -> Any:
    passed = (after >= jnp.floor(fraction * rest) for fraction in config.milestones)
    return functools.reduce(lambda rate, at: rate * jnp.where(at, config.factor, 1.0), passed, 1.0)


def _stable(config: ml_collections.ConfigDict, after: Any, rest: Any) -> Any:
    fall = jnp.clip(config.decay_steps, 1, rest)
    fallen = jnp.clip((after - (rest - fall)) / fall, 0, 1)
    return 1 - (1 - config.final_fraction) * fallen


# by name: (options, steps after warm-up, their number in all) → share of the first learning rate
DECAYS: dict[str, Callable[[ml_collections.ConfigDict, Any, Any], Any]] = {
    "cosine": _cosine,
    "multistep": _multistep,
    "constant": lambda config, after, rest: jnp.ones_like(after),
    "stable": _stable,
}


def make_optimizer(
    config: ml_collections.ConfigDict, steps: int
) -> tuple[optax.GradientTransformationExtraArgs, Schedule]:
    """Return the gradient transformation and its learning-rate schedule.

    "muon" orthogonalises the momentum of large kernels (:func:`muon_kernels`) and updates all other
    parameters by Adam. Source: Jordan, "Muon: An optimizer for hidden layers in neural networks"
    (2024); updates are scaled to Adam's size as in Liu et al., "Muon is Scalable for LLM Training"
    (2025).

    The transformation takes a ``horizon``, for the schedule, beside gradients, state and
    parameters.

    Raises:
      UserError: the optimiser or the schedule is unknown.
    """
    if config.name not in UPDATES:
        raise UserError(
            f"config.optimizer.name is {config.name!r}; there are: {', '.join(UPDATES)}"
        )
    schedule = make_schedule(config, steps)
    # with or without clipping the state has one shape: it may be switched on in a run's middle
    clip = optax.clip_by_global_norm(config.clip_norm) if config.clip_norm else optax.identity()

    def towards(horizon: Count) -> optax.GradientTransformation:
        return optax.chain(clip, UPDATES[config.name](config, lambda step: schedule(step, horizon)))

    def update(gradients, state, params=None, *, horizon: Count = 0, **_):
        return towards(horizon).update(gradients, state, params)

    return optax.GradientTransformationExtraArgs(towards(0).init, update), schedule


def _adam(config: ml_collections.ConfigDict, schedule: optax.Schedule):
    return optax.adam(schedule, config.b1, config.b2)


def _adamw(config: ml_collections.ConfigDict, schedule: optax.Schedule):
    return optax.adamw(
        schedule, config.b1, config.b2, weight_decay=config.weight_decay, mask=kernels
    )


def _muon(config: ml_collections.ConfigDict, schedule: optax.Schedule):
    return optax.contrib.muon(
        schedule,
        weight_decay=config.weight_decay,
        adam_b1=config.b1,
        adam_b2=config.b2,
        adam_learning_rate=lambda step: config.adam_fraction * schedule(step),
        muon_weight_dimension_numbers=muon_kernels,
        consistent_rms=MUON_RMS,
    )


UPDATES = {"adam": _adam, "adamw": _adamw, "muon": _muon}


def kernels(params: dict) -> dict:
    """Return for every parameter whether it is a kernel: ``kernel``, ``skip_kernel``, ``kernel0``.

    Names decide: biases, tables of positions and gains of rates may have two axes, too.
    """
    return jax.tree.map_with_path(
        lambda path, _: bool(re.search(r"kernel\d*$", _name(path))), params
    )


def muon_kernels(params: dict) -> dict:
    """Return for every parameter how Muon sees it as a matrix, or None where Adam updates it.

    A convolution's kernel is a matrix of (height · width · inputs) by outputs. Left to Adam are
    thin kernels (the first convolution, depthwise ones), per-head projections, and the numbered
    kernels of networks that are exported to integers, whose products must stay small.
    """

    def matrix(path, kernel):
        wide = kernel.ndim in (2, 4) and min(kernel.shape[-2:]) >= MUON_CHANNELS
        if not (wide and _name(path).endswith("kernel")):
            return None
        *inputs, output = range(kernel.ndim)
        return MuonDimensionNumbers(reduction_axis=tuple(inputs), output_axis=output)

    return jax.tree.map_with_path(matrix, params)


def _name(path: tuple) -> str:
    return path[-1].key
