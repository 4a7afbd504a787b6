"""What the loop needs to know of a task; the loop itself is the same for all."""

import dataclasses
from collections.abc import Callable, Sequence

import grain
import numpy as np

from jaxsr.training.step import LossFn


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
    evaluate: Callable[[dict], tuple[dict[str, float], dict[str, np.ndarray]]] | None = None
