"""What measures weights: one evaluator a subject, called by ``eval.py`` and by training alike."""

from collections.abc import Callable
from typing import TypeVar

import jax
import numpy as np
from jaxtyping import UInt8

from jaxsr.zoo.weights import Weights

Picture = UInt8[np.ndarray, "h w 3"]
Figures = dict[str, float]
Evaluator = Callable[[Weights], tuple[Figures, dict[str, Picture]]]
"""Weights → their figures by name, and some pictures by name."""
Show = Callable[[str, Picture], None]
"""Takes a picture and its name; keeps it, or not."""

Subject = TypeVar("Subject")


def make_evaluator(
    build: Callable[[Weights, Subject | None], Subject],
    measure: Callable[[Subject, Show], Figures],
    pictures: int,
) -> Evaluator:
    """Return a function of weights that measures what is built of them.

    Args:
      build: weights → what is measured. Its second argument is what it built the time before, whose
        compiled programs it takes over; None at first.
      measure: what was built → its figures; it calls its second argument with every picture.
      pictures: only the first so many are kept.
    """
    built: Subject | None = None

    def evaluate(weights: Weights) -> tuple[Figures, dict[str, Picture]]:
        nonlocal built
        kept: dict[str, Picture] = {}

        def show(name: str, picture: Picture) -> None:
            if len(kept) < pictures:
                kept[name] = picture

        with float32_products():
            built = build(weights, built)
            return measure(built, show), kept

    return evaluate


def float32_products():
    """Return a context in which products are exact to float32, as published figures are.

    GPUs would take TF32, TPUs bfloat16.
    """
    return jax.default_matmul_precision("highest")
