"""The command line: ``jaxsr COMMAND …``, and ``jaxsr --help`` lists the commands.

Each command is a module here: ``add(commands)`` says what it takes and ``run(arguments)`` does it.
What is slow to import is imported in ``run``, so that ``jaxsr --help`` is quick.
"""

import argparse
import os
import sys
from collections.abc import Sequence

import jaxsr
from jaxsr.cli import (
    cluster,
    compare,
    compress,
    convert,
    decompress,
    demo,
    enhance,
    export,
    info,
    models,
    restore,
    segment,
    upscale,
)
from jaxsr.cli.environment import prepare_jax
from jaxsr.cli.report import USER_ERRORS, complain, one_line

COMMANDS = (
    upscale,
    segment,
    restore,
    enhance,
    compress,
    decompress,
    compare,
    models,
    info,
    demo,
    convert,
    export,
)
INTERRUPTED = 130  # as shells say it


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0, or 2 after saying why on stderr in one line.

    That is done for what a user can cause (``USER_ERRORS``), unless ``--debug`` asks for the
    traceback. Any other exception comes through.
    """
    words = with_boxes(sys.argv[1:] if argv is None else argv)
    arguments = parser().parse_args(words)
    prepare_jax()
    try:
        with cluster.joined(arguments):
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
        complain(one_line(error, *words))
        return 2


def with_boxes(argv: Sequence[str]) -> list[str]:
    """Join ``--box -5,3,9,9`` to ``--box=-5,3,9,9``: argparse takes ``-5,3,9,9`` for a flag."""
    joined: list[str] = []
    for text in argv:
        if joined and joined[-1] == "--box":
            joined[-1] = f"--box={text}"
        else:
            joined.append(text)
    return joined


class Parser(argparse.ArgumentParser):
    """Says what is wrong with the flags in one line, as every other error."""

    def error(self, message: str):
        complain(f"{message} (see {self.prog} --help)")
        raise SystemExit(2)


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands and their flags."""
    top = Parser(prog="jaxsr", description=(jaxsr.__doc__ or "").partition("\n")[0])
    top.add_argument("--version", action="version", version=f"jaxsr {jaxsr.__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for module in COMMANDS:
        command = module.add(commands)
        command.set_defaults(run=module.run)
        command.add_argument(
            "--debug",
            action="store_true",
            help="show the traceback of an error in place of one line",
        )
    return top
