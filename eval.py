"""Evaluates upscalers, codecs, segmenters and restorers on folders of originals.

``python eval.py --config=configs/eval/sr.py --config.model=NAME --config.data=DIR[,DIR…]``; the
config's file says what is measured and has the options: ``sr.py``, ``codec.py`` and ``regions.py``.
``--workdir=DIR`` takes a training run's newest averaged parameters.
"""

from pathlib import Path

from absl import flags
from ml_collections import config_flags

from jaxsr.cli import scripts
from jaxsr.errors import UserError

_DEFAULT = Path(__file__).parent / "configs/eval/sr.py"
_CONFIG = config_flags.DEFINE_config_file(
    "config", None, f"what to evaluate, on what ({_DEFAULT.name})"
)
_WORKDIR = flags.DEFINE_string("workdir", "", "a training run, in place of --config.model")


def main() -> None:
    run(_CONFIG.value, _WORKDIR.value)


def run(config, workdir: str = "") -> None:
    """Evaluates on every folder, prints their tables and writes the report.

    Raises:
      UserError: what is asked for isn't there, or doesn't go together.
    """
    from jaxsr.evaluation import tasks  # after the flags: --help stays quick
    from jaxsr.training import checkpoints

    # a run's restorer may be measured on the regions that a model finds
    if config.model and workdir and config.task != "regions":
        raise UserError("say what to evaluate, by either --config.model or --workdir")
    weights = checkpoints.load_weights(workdir) if workdir else None
    tasks.run(config, weights, called=config.to_dict() | {"workdir": workdir})


if __name__ == "__main__":
    scripts.run(main, config=str(_DEFAULT))
