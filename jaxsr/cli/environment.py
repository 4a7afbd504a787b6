"""How JAX is set up for a command: quiet, what it compiles kept on disk, every core a device.

All of it goes through environment variables, which JAX reads when it is imported: call
:func:`prepare_jax` before. What the environment already says stays as it is.
"""

import logging
import os
from pathlib import Path

MIN_COMPILE_SECONDS = "0.1"  # programs that compile faster than this are not kept


def prepare_jax(every_core: bool = True) -> None:
    """Quiet JAX, keep what it compiles on disk and make every CPU core a device.

    Args:
      every_core: False leaves the number of CPU devices for :func:`use_cores_for` to decide.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.basicConfig(format="jaxsr: %(message)s", level=logging.WARNING)
    logging.getLogger("jax").setLevel(logging.ERROR)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jaxsr" / "xla"
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", MIN_COMPILE_SECONDS)
    if every_core and not devices_are_set():
        os.environ["JAX_NUM_CPU_DEVICES"] = str(cores())


def use_cores_for(batch_size: int, accumulate: int = 1) -> None:
    """Make as many CPU cores devices as share a training batch evenly.

    To be called when JAX has been imported, but has computed nothing yet. GPUs and TPUs are not
    concerned.

    Args:
      batch_size: examples of a batch, on all devices together.
      accumulate: pieces that each device takes its part of the batch in.
    """
    import jax

    if not devices_are_set():
        share = (n for n in range(cores(), 0, -1) if batch_size % (n * accumulate) == 0)
        jax.config.update("jax_num_cpu_devices", next(share, 1))


def prepare_to_compile_for(topology: str) -> None:
    """Set JAX up to compile for devices that need not be here; see ``jaxsr.chips.topology``.

    To be called when JAX has computed nothing yet. Nothing is taken from disk, as the time that
    compiling takes is told.
    """
    import jax

    kind, _, count = topology.partition(":")
    if kind != "gpu":
        jax.config.update("jax_platforms", "cpu")  # a TPU that is here stays free
    if kind == "cpu" and count.isdecimal() and int(count) and not devices_are_set():
        jax.config.update("jax_num_cpu_devices", int(count))
    jax.config.update("jax_enable_compilation_cache", False)


def devices_are_set() -> bool:
    """Return True if the environment says how many devices a CPU is."""
    forced = "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", "")
    return forced or "JAX_NUM_CPU_DEVICES" in os.environ


def cores() -> int:
    """Count the CPU cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(affinity(0)) if affinity else os.cpu_count() or 1
