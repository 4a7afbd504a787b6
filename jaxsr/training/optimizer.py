"""The optimiser a config describes: schedule, clipping, Adam or AdamW (optax)."""

import jax
import ml_collections
import optax


def default_config() -> ml_collections.ConfigDict:
    """The optimiser's options and their defaults; steps are optimiser steps."""
    return ml_collections.ConfigDict(
        {
            "name": "adam",  # or "adamw"
            "learning_rate": 5e-4,
            "schedule": "cosine",  # or "multistep", "constant"
            "warmup_steps": 0,
            "final_fraction": 0.01,  # cosine: last learning rate / first
            "milestones": (
                0.5,
                0.8,
                0.9,
                0.95,
            ),  # multistep: fractions of the steps after warm-up …
            "factor": 0.5,  # … at which the rate is multiplied by this
            "b1": 0.9,
            "b2": 0.99,
            "weight_decay": 0.0,  # adamw only; kernels only, never biases
            "clip_norm": 0.0,  # of the global gradient; 0 = off
        }
    )


def make_schedule(config: ml_collections.ConfigDict, steps: int) -> optax.Schedule:
    """Learning rate over ``steps`` steps: linear warm-up, then the named decay."""
    rest = max(1, steps - config.warmup_steps)
    peak = config.learning_rate
    if config.schedule == "cosine":
        decay = optax.cosine_decay_schedule(peak, rest, config.final_fraction)
    elif config.schedule == "multistep":
        at = {int(fraction * rest): config.factor for fraction in config.milestones}
        decay = optax.piecewise_constant_schedule(peak, at)
    elif config.schedule == "constant":
        decay = optax.constant_schedule(peak)
    else:
        raise ValueError(
            f"config.optimizer.schedule is {config.schedule!r}; cosine, multistep or constant are known"
        )
    if not config.warmup_steps:
        return decay
    warmup = optax.linear_schedule(0.0, peak, config.warmup_steps)
    return optax.join_schedules([warmup, decay], [config.warmup_steps])


def make_optimizer(
    config: ml_collections.ConfigDict, steps: int
) -> tuple[optax.GradientTransformation, optax.Schedule]:
    """The gradient transformation and its learning-rate schedule.

    Raises:
      ValueError: an unknown optimiser or schedule.
    """
    schedule = make_schedule(config, steps)
    if config.name == "adam":
        update = optax.adam(schedule, config.b1, config.b2)
    elif config.name == "adamw":
        update = optax.adamw(
            schedule, config.b1, config.b2, weight_decay=config.weight_decay, mask=_kernels
        )
    else:
        raise ValueError(f"config.optimizer.name is {config.name!r}; adam and adamw are known")
    # with or without clipping the state has one shape: it may be switched on in a run's middle
    clip = optax.clip_by_global_norm(config.clip_norm) if config.clip_norm else optax.identity()
    return optax.chain(clip, update), schedule


def _kernels(params):
    return jax.tree.map(lambda p: p.ndim > 1, params)
