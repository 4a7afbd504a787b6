"""What train.py and eval.py share: flags of absl and a config file, errors in one line."""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from absl import app, flags, logging

from jaxsr.cli.report import USER_ERRORS, one_line


def run(main: Callable[[], None]) -> None:
    """Parses the flags, calls ``main()`` and exits: with 2 after one line for what a user got wrong.

    Where ``JAXSR_DEBUG`` is set, the traceback is shown in its place.
    """

    def guarded(argv: Sequence[str]) -> None:
        if len(argv) > 1:
            fail(f"unknown arguments: {' '.join(argv[1:])}")
        logging.set_verbosity(logging.WARNING)  # orbax logs every file it touches
        try:
            main()
        except (*USER_ERRORS, FloatingPointError) as error:
            if os.environ.get("JAXSR_DEBUG"):
                raise
            fail(one_line(error))

    app.run(guarded, flags_parser=parse)


def parse(argv: Sequence[str]) -> list[str]:
    """The flags; a config file that is not there, or an option that no config has, is one line."""
    try:
        return flags.FLAGS(argv)
    except (AttributeError, KeyError) as error:
        fail(f"the config has no option {str(error).strip(chr(34) + chr(39))}")
    except (flags.Error, OSError, ValueError, TypeError) as error:
        fail(one_line(error))


def fail(message: str) -> None:
    print(f"{Path(sys.argv[0]).name}: {message}", file=sys.stderr)
    sys.exit(2)
