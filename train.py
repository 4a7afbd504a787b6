"""Train a network as a config file says.

    python train.py --config=configs/sr/span.py --workdir=runs/span \\
        --config.data.source=folder:photos --config.steps=20000

The config file lists its options with their values; ``--config.OPTION=VALUE`` replaces one of them.
The same command goes on where a run was stopped or killed. On several hosts, give every one the
same command and ``--distributed``; on a cluster that JAX does not know, also ``--coordinator``,
``--processes`` and ``--process``.

    python train.py --config=configs/sr/span.py --compile_for=v5e:4x4

trains nothing, but compiles a step for 16 TPUs and says what it takes of them. It needs neither
data nor a TPU; topologies are v4:2x2x1, v5e:4x4, v5p:2x2x1 or v6e:2x2 (any size of each), cpu:8
and gpu.
"""

from jaxsr.cli import cluster
from jaxsr.cli.environment import prepare_to_compile_for, use_cores_for
from jaxsr.cli.report import packages_of_training
from jaxsr.errors import UserError

with packages_of_training("train.py"):
    from absl import flags
    from ml_collections import config_flags

    from jaxsr.cli import scripts

SMALLEST_BATCH = 2  # of configs/weights.py on CPUs, whose parts differ in that

_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "the config file of the experiment, one of configs/; needed"
)
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "the folder for checkpoints, logs and pictures of this run; needed"
)
_DISTRIBUTED = flags.DEFINE_bool(
    "distributed", False, "train on several hosts (jax.distributed.initialize)"
)
_COORDINATOR = flags.DEFINE_string("coordinator", None, "with --distributed: address of process 0")
_PROCESSES = flags.DEFINE_integer("processes", None, "with --distributed: the number of processes")
_PROCESS = flags.DEFINE_integer(
    "process", None, "with --distributed: the number of this process, from 0"
)
_COMPILE_FOR = flags.DEFINE_string(
    "compile_for",
    None,
    "train nothing; say what a step takes of v5e:4x4, cpu:8, …",
)
flags.mark_flag_as_required("config")
flags.register_multi_flags_validator(
    ["workdir", "compile_for"],
    lambda given: given["workdir"] or given["compile_for"],
    "Flag --workdir must have a value other than None.",
)


def main() -> None:
    if _COMPILE_FOR.value:
        return compile_for(_COMPILE_FOR.value)
    from jaxsr.training import loop, weights  # after the flags are read: --help stays quick

    config = _CONFIG.value
    job = _COORDINATOR.value, _PROCESSES.value, _PROCESS.value
    if _DISTRIBUTED.value:
        cluster.meet(*job, tell=scripts.complain)
    elif job != (None, None, None):
        raise UserError("--coordinator, --processes and --process go with --distributed")
    else:
        use_cores_for(config.get("batch_size", SMALLEST_BATCH), config.get("accumulate", 1))
    if config.task == "weights":
        weights.make_weights(config, str(_WORKDIR.value))
    else:
        loop.fit(config, str(_WORKDIR.value))


def compile_for(topology: str) -> None:
    """Print what a step of the config takes of devices that need not be here."""
    prepare_to_compile_for(topology)
    from jaxsr.chips.topology import topology_of
    from jaxsr.training.compiling import report_step

    print(report_step(_CONFIG.value, topology_of(topology)))


if __name__ == "__main__":
    scripts.run(main, every_core=False)  # but as many as share a batch
