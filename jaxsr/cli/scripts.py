"""What train.py and eval.py share: flags of absl, a config file, and errors in one line."""

import functools
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from absl import app, flags, logging

from jaxsr.cli.environment import prepare_jax
from jaxsr.cli.report import USER_ERRORS, one_line, say
from jaxsr.errors import UserError

CONFIG_MODULE = "config_config"  # what ml_collections names the module of --config

VALUES = {  # what flags take
    "config": "FILE",
    "workdir": "DIR",
    "coordinator": "HOST:PORT",
    "compile_for": "TOPOLOGY",
}

_DEBUG = flags.DEFINE_bool("debug", False, "show the traceback of an error, not one line")


def run(main: Callable[[], None], *, every_core: bool = True, config: str = "") -> None:
    """Parse the flags, set JAX up and call ``main()``.

    What a user got wrong is printed as one line, and the program exits with 2; ``--debug`` shows
    the traceback in its place. Any other exception always comes with its traceback.

    Args:
      every_core: see :func:`prepare_jax`.
      config: the config file where ``--config`` names none; else that flag must be given.
    """

    def guarded(argv: Sequence[str]) -> None:
        if len(argv) > 1:
            fail(f"unknown arguments: {' '.join(argv[1:])}")
        logging.set_verbosity(logging.WARNING)  # orbax logs every file it touches
        try:
            main()
        except USER_ERRORS as error:
            if _DEBUG.value:
                raise
            fail(one_line(error, *sys.argv))

    prepare_jax(every_core)  # before the config file is read, which may import JAX
    app.run(guarded, flags_parser=functools.partial(parse, config=config))


def parse(argv: Sequence[str], config: str = "") -> list[str]:
    """Read the flags and the config file; ``config`` is the one to take where none is named.

    What is wrong with the command is one line; a fault in the config file's own code is raised.
    """
    if {"--help", "-help", "-h"} & set(argv[1:]):
        print(help_text(argv[0]))
        sys.exit()
    named = any(word.lstrip("-").partition("=")[0] == "config" for word in argv[1:])
    default = [f"--config={config}"] if config and not named else []  # a flag twice is refused
    try:
        rest = flags.FLAGS([argv[0], *default, *argv[1:]])
        check_config(flags.FLAGS["config"])
        return rest
    except (flags.Error, AttributeError, KeyError, TypeError, ValueError, OSError) as error:
        if (cause := fault_of_config(error)) is not None:
            raise cause from None
        if "--debug" in argv:
            raise
        fail(mistake(error))


def help_text(program: str) -> str:
    """Return what ``--help`` prints: what the program's file says of it, and its flags."""
    about = inspect.getdoc(sys.modules["__main__"]) or ""
    modules = flags.FLAGS.flags_by_module_dict()
    rows = [
        (f"--{flag.name}" + ("" if flag.boolean else f"={VALUES.get(flag.name, 'N')}"), flag.help)
        for flag in [*modules.get(program, ()), *modules[__name__]]
    ]
    rows.append(("--config.OPTION=VALUE", "replace the value of an option of the config file"))
    lines = [f"  {name:<25} {what}" for name, what in rows]
    return "\n".join([about.replace("``", ""), "", "Flags:", *lines])


def mistake(error: BaseException) -> str:
    """Return what is wrong with the command, in one line."""
    if isinstance(error, AttributeError | KeyError):
        return f"the config has no option {str(error).strip(chr(34) + chr(39))}"
    if lacking := re.findall(r"Flag --(\w+) must have a value", str(error)):
        named = " and ".join(f"--{name}" for name in lacking)
        return f"{named} must be given (see --help)"
    flag, in_config, _ = one_line(error).partition("Error whilst parsing config file")
    if not in_config:
        return flag
    *_, first = chain(error)
    return f"{flag}{one_line(first)}"


def check_config(flag: Any) -> None:
    """Raise where the config file could not be read: its flag keeps that to itself.

    Raises:
      UserError: there is no such file.
      OSError: what the config file itself met.
    """
    path = Path(str(flag.config_filename).partition(":")[0])  # FILE:ARGUMENT
    if not path.is_file():
        raise UserError(f"--config={path}: no such file; see configs/")
    try:
        hasattr(flag.value, "lock")
    except OSError as error:
        raise error.__cause__ or error from None


def fault_of_config(error: BaseException) -> BaseException | None:
    """Return the exception that a config file's own code raised, if it is what ``error`` is about.

    What a config raises to tell its user something, a :class:`UserError`, is no fault.
    """
    raised = next(filter(ran_config, chain(error)), None)
    return None if isinstance(raised, UserError) else raised


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the exception, the one it was raised while handling, and so on."""
    while error is not None:
        yield error
        error = error.__context__


def ran_config(error: BaseException) -> bool:
    """Return True if the exception passed through a config file's own code."""
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__") == CONFIG_MODULE:
            return True
        trace = trace.tb_next
    return False


def complain(message: str) -> None:
    """Print one line on stderr, in the script's name."""
    say(f"{Path(sys.argv[0]).name}: {message}", on_stderr=True)


def fail(message: str) -> NoReturn:
    """Print one line and exit with 2."""
    complain(message)
    sys.exit(2)
