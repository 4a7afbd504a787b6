"""What the loop needs to know of a task; the loop itself is the same for all."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import ml_collections
import numpy as np

from jaxsr.data.dataset import Dataset
from jaxsr.evaluation.evaluator import Evaluator
from jaxsr.training.checkpoints import plain, weights_of
from jaxsr.training.step import LossFn

Evaluate = Callable[[dict], tuple[dict[str, float], dict[str, np.ndarray]]]


@dataclasses.dataclass(frozen=True)
class Task:
    """A learning problem.

    Attributes:
      init: random key → parameters.
      loss: (parameters, batch, ``frozen``) → the scalar to lower, and its named parts to be logged.
      dataset: the examples.
      frozen: parameters of other networks that the loss runs; nothing trains them.
      evaluate: parameters → figures and uint8 (h, w, 3) pictures by name; None: no evaluation.
    """

    init: Callable
    loss: LossFn
    dataset: Dataset
    frozen: dict[str, Any] = dataclasses.field(default_factory=dict)
    evaluate: Evaluate | None = None


def share_of_host(config: ml_collections.ConfigDict) -> dict[str, int]:
    """Return the arguments by which a dataset makes this host's part of every batch."""
    return {
        "batch_size": config.batch_size // jax.process_count(),
        "seed": config.seed,
        "host": jax.process_index(),
    }


def evaluation(
    config: ml_collections.ConfigDict, evaluator: Callable[..., Evaluator], **options: Any
) -> Evaluate | None:
    """Return what measures a run's parameters as ``eval.py`` measures those of a checkpoint.

    Args:
      evaluator: makes the subject's evaluator of ``config.eval_data``, ``options`` and
        ``pictures``.
    """
    if not config.eval_data:
        return None
    measure = evaluator(config.eval_data, pictures=config.eval_pictures, **options)
    return lambda params: measure(weights_of(plain(config), params))
