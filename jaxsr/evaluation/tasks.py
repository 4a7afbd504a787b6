"""The tasks of ``eval.py``: each reads a config, measures, prints tables and writes files."""

from typing import Any

from jaxsr.errors import UserError
from jaxsr.evaluation.codecs import task as codecs
from jaxsr.evaluation.evaluator import float32_products
from jaxsr.evaluation.regions import task as regions
from jaxsr.evaluation.upscalers import task as upscalers
from jaxsr.zoo.weights import Weights

TASKS = {"super_resolution": upscalers.run, "codec": codecs.run, "regions": regions.run}


def run(config, weights: Weights | None, called: dict[str, Any]) -> None:
    """Run the task that ``config.task`` names.

    Args:
      config: an ``ml_collections.ConfigDict`` of ``configs/eval/``.
      weights: a training run's, to evaluate in place of ``config.model``.
      called: how the program was called, for the report.

    Raises:
      UserError: what is asked for isn't there, or doesn't go together.
    """
    if config.task not in TASKS:
        raise UserError(f"unknown task {config.task!r}; there are: {', '.join(TASKS)}")
    with float32_products():
        TASKS[config.task](config, weights, called)
