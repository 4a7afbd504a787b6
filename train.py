"""Trains a network: ``python train.py --config=configs/sr/NAME.py --workdir=DIR [--config.x=y]``.

The same command goes on where a run was stopped or killed. On several hosts, give every one the
same command and ``--distributed``; on a cluster that JAX does not know, also ``--coordinator``,
``--processes`` and ``--process``.
"""

from absl import flags
from ml_collections import config_flags

from jaxsr.cli import scripts
from jaxsr.cli.environment import use_cores_for
from jaxsr.errors import UserError

_CONFIG = config_flags.DEFINE_config_file("config", None, "the experiment, a file of configs/")
_WORKDIR = flags.DEFINE_string("workdir", None, "where checkpoints, logs and pictures go")
_DISTRIBUTED = flags.DEFINE_bool(
    "distributed", False, "several hosts: jax.distributed.initialize()"
)
_COORDINATOR = flags.DEFINE_string("coordinator", None, "HOST:PORT of process 0")
_PROCESSES = flags.DEFINE_integer("processes", None, "how many processes there are")
_PROCESS = flags.DEFINE_integer("process", None, "which of them this one is, from 0")
flags.mark_flags_as_required(["config", "workdir"])


def main() -> None:
    import jax  # after the flags are read: --help stays quick

    from jaxsr.training import loop

    cluster = _COORDINATOR.value, _PROCESSES.value, _PROCESS.value
    if _DISTRIBUTED.value:
        jax.distributed.initialize(*cluster)
    elif cluster != (None, None, None):
        raise UserError("--coordinator, --processes and --process go with --distributed")
    else:
        use_cores_for(_CONFIG.value.batch_size, _CONFIG.value.accumulate)
    loop.fit(_CONFIG.value, str(_WORKDIR.value))


if __name__ == "__main__":
    scripts.run(main, every_core=False)  # but as many as share a batch
