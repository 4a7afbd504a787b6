"""The command line: ``jaxsr upscale | segment | restore | enhance | compress | decompress | models | …``.

Each command is a module here: ``add(commands)`` says what it takes and ``run(arguments)`` does it.
What is slow to import is imported in ``run``, so that ``jaxsr --help`` is quick.
"""

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import jaxsr
from jaxsr.cli import (
    compress,
    convert,
    decompress,
    demo,
    enhance,
    info,
    models,
    restore,
    segment,
    upscale,
)
from jaxsr.cli.report import USER_ERRORS, complain, one_line

COMMANDS = (
    upscale,
    segment,
    restore,
    enhance,
    compress,
    decompress,
    models,
    info,
    demo,
    convert,
)
INTERRUPTED = 130  # as shells say it


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code: 0, or 2 after saying why on stderr in one line.

    ``--debug`` lets the exception through. Exceptions no user can cause always come through.
    """
    arguments = parser().parse_args(argv)
    prepare_jax()
    try:
        return arguments.run(arguments)
    except KeyboardInterrupt:
        complain("interrupted")
        return INTERRUPTED
    except BrokenPipeError:  # jaxsr models | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except USER_ERRORS as error:
        if arguments.debug:
            raise
        complain(one_line(error))
        return 2


class Parser(argparse.ArgumentParser):
    """Says what is wrong with the flags in one line, as every other error."""

    def error(self, message: str):
        complain(f"{message} (see {self.prog} --help)")
        raise SystemExit(2)


def parser() -> argparse.ArgumentParser:
    """All commands and their flags."""
    top = Parser(prog="jaxsr", description=jaxsr.__doc__.splitlines()[0])
    top.add_argument("--version", action="version", version=f"jaxsr {jaxsr.__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for module in COMMANDS:
        command = module.add(commands)
        command.set_defaults(run=module.run)
        command.add_argument("--debug", action="store_true", help="show where an error came from")
    return top


def prepare_jax() -> None:
    """Keeps JAX quiet, and what it compiles on disk, unless the environment says otherwise.

    Works through the environment, so that JAX need not be imported yet.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.basicConfig(format="jaxsr: %(message)s", level=logging.WARNING)
    logging.getLogger("jax").setLevel(logging.ERROR)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jaxsr" / "xla"
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache))
    use_every_core()
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")


def use_every_core() -> None:
    """Makes every CPU core a JAX device, unless the environment says how many there are.

    XLA runs a convolution of few channels on one core; tiles are spread over devices. To be called
    before JAX is imported; GPUs and TPUs are not concerned.
    """
    if "xla_force_host_platform_device_count" not in os.environ.get("XLA_FLAGS", ""):
        affinity = getattr(os, "sched_getaffinity", None)  # not on every system
        cores = len(affinity(0)) if affinity else os.cpu_count() or 1
        os.environ.setdefault("JAX_NUM_CPU_DEVICES", str(cores))
