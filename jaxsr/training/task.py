"""What the loop needs to know of a task; the loop itself is the same for all."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import grain
import ml_collections
import numpy as np

from jaxsr.evaluation.evaluator import Evaluator
from jaxsr.training.checkpoints import plain, weights_of
from jaxsr.training.step import LossFn

Evaluate = Callable[[dict], tuple[dict[str, float], dict[str, np.ndarray]]]


@dataclasses.dataclass(frozen=True)
class Task:
    """A learning problem.

    Attributes:
      init: random key → parameters.
      loss: (parameters, batch) → scalar.
      dataset: endless batches of this host's examples; each has an "index" for :attr:`names`.
      names: example indices → what to call them in a message.
      evaluate: parameters → (figures by name, uint8 (H, W, 3) pictures by name); None: no evaluation.
    """

    init: Callable
    loss: LossFn
    dataset: grain.IterDataset
    names: Callable[[Sequence[int]], list[str]]
    evaluate: Evaluate | None = None


def evaluation(
    config: ml_collections.ConfigDict, evaluator: Callable[..., Evaluator], **options: Any
) -> Evaluate | None:
    """Returns what measures a run's parameters as ``eval.py`` measures those of a checkpoint.

    Args:
      evaluator: makes the subject's evaluator of ``config.eval_data``, ``options`` and ``pictures``.
    """
    if not config.eval_data:
        return None
    measure = evaluator(config.eval_data, pictures=config.eval_pictures, **options)
    return lambda params: measure(weights_of(plain(config), params))
