"""Evaluate upscalers, codecs, segmenters and restorers on folders of originals.

    python eval.py --config=configs/eval/sr.py --config.model=span-compact \\
        --config.data=sets/Set5,sets/Set14 --config.scale=2 --config.out=metrics.json

The config file says what is measured and lists its options with their values: ``sr.py`` for
upscalers, ``codec.py`` for codecs, ``regions.py`` for segmenters and restorers.
``--config.OPTION=VALUE`` replaces one of them. ``--workdir=DIR`` takes the newest averaged
parameters of a training run.
"""

from pathlib import Path

from jaxsr.cli.report import packages_of_training
from jaxsr.errors import UserError

with packages_of_training("eval.py"):
    from absl import flags
    from ml_collections import config_flags

    from jaxsr.cli import scripts

_DEFAULT = Path(__file__).parent / "configs/eval/sr.py"
_CONFIG = config_flags.DEFINE_config_file(
    "config", None, f"what to measure, a file of configs/eval/ ({_DEFAULT.name} if none is given)"
)
_WORKDIR = flags.DEFINE_string(
    "workdir", "", "the folder of a training run, in place of --config.model"
)


def main() -> None:
    run(_CONFIG.value, _WORKDIR.value)


def run(config, workdir: str = "") -> None:
    """Evaluate on every folder, print their tables and write the report.

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
