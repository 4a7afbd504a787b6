"""The optimiser a config describes: schedule, clipping, Adam, AdamW or Muon (optax)."""

import re

import jax
import ml_collections
import optax
from optax.contrib import MuonDimensionNumbers

from jaxsr.errors import UserError

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


def make_schedule(config: ml_collections.ConfigDict, steps: int) -> optax.Schedule:
    """Return the learning rate over ``steps`` steps: linear warm-up, then the named decay.

    "stable" is constant up to the last ``decay_steps``, and linear in them (warm-up–stable–decay).
    A run can be prolonged from a checkpoint of its constant part by raising ``steps``, as if it
    had been meant so from the start. Source: Hu et al., "MiniCPM" (2024), section 4.2.
    """
    rest = max(1, steps - config.warmup_steps)
    peak = config.learning_rate
    if config.schedule == "cosine":
        decay = optax.cosine_decay_schedule(peak, rest, config.final_fraction)
    elif config.schedule == "multistep":
        at = {int(fraction * rest): config.factor for fraction in config.milestones}
        decay = optax.piecewise_constant_schedule(peak, at)
    elif config.schedule == "constant":
        decay = optax.constant_schedule(peak)
    elif config.schedule == "stable":
        last, fall = peak * config.final_fraction, min(config.decay_steps, rest)
        decay = optax.linear_schedule(peak, last, fall, transition_begin=rest - fall)
    else:
        raise UserError(
            f"config.optimizer.schedule is {config.schedule!r}; cosine, multistep, constant and "
            "stable are known"
        )
    if not config.warmup_steps:
        return decay
    warmup = optax.linear_schedule(0.0, peak, config.warmup_steps)
    return optax.join_schedules([warmup, decay], [config.warmup_steps])


def make_optimizer(
    config: ml_collections.ConfigDict, steps: int
) -> tuple[optax.GradientTransformation, optax.Schedule]:
    """Return the gradient transformation and its learning-rate schedule.

    "muon" orthogonalises the momentum of large kernels (:func:`muon_kernels`) and updates all other
    parameters by Adam. Source: Jordan, "Muon: An optimizer for hidden layers in neural networks"
    (2024); updates are scaled to Adam's size as in Liu et al., "Muon is Scalable for LLM Training"
    (2025).

    Raises:
      UserError: the optimiser or the schedule is unknown.
    """
    schedule = make_schedule(config, steps)
    if config.name == "adam":
        update = optax.adam(schedule, config.b1, config.b2)
    elif config.name == "adamw":
        update = optax.adamw(
            schedule, config.b1, config.b2, weight_decay=config.weight_decay, mask=kernels
        )
    elif config.name == "muon":
        update = optax.contrib.muon(
            schedule,
            weight_decay=config.weight_decay,
            adam_b1=config.b1,
            adam_b2=config.b2,
            adam_learning_rate=lambda step: config.adam_fraction * schedule(step),
            muon_weight_dimension_numbers=muon_kernels,
            consistent_rms=MUON_RMS,
        )
    else:
        raise UserError(f"config.optimizer.name is {config.name!r}; adam, adamw and muon are known")
    # with or without clipping the state has one shape: it may be switched on in a run's middle
    clip = optax.clip_by_global_norm(config.clip_norm) if config.clip_norm else optax.identity()
    return optax.chain(clip, update), schedule


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
