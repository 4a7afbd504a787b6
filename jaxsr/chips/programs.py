"""What a compiled program takes: memory, arithmetic, bytes moved, messages between devices."""

import collections
import dataclasses
import math
import re
import time
import warnings

import jax

from jaxsr.chips.table import Chip
from jaxsr.errors import UserError
from jaxsr.networks.count import multiply_adds_of_program

# A result's type, or a tuple of them, before a collective operation's name in XLA's text. What is
# split into a start and a done counts once, by its start.
COLLECTIVE = re.compile(
    r"= (\(?[a-z]\w*\[.*?) "
    r"(all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute)(?:-start)?\("
)
SHAPE = re.compile(r"\b(?:pred|[a-z]+?(\d+)\w*)\[([\d,]*)\]")


class DoesNotFit(UserError):
    """A program needs more memory than the chip has."""


@dataclasses.dataclass(frozen=True)
class Program:
    """A program compiled for one kind of device; all figures are of one device.

    Attributes:
      arguments, temporaries, code: bytes of memory. What is returned in the place of arguments is
        not counted twice; what else is returned is among the temporaries.
      flops: operations of convolutions and matrix products, a multiply-add being two, counted in
        the traced program (``jaxsr.networks.count``).
      moved: bytes read and written, by XLA's count, which takes every loop to run once.
      collectives: name → number of such operations, and bytes that one device gets by them; None
        where XLA cannot print the program that it made.
      seconds: that compiling took.
    """

    arguments: int
    temporaries: int
    code: int
    flops: float
    moved: float
    collectives: dict[str, tuple[int, int]] | None
    seconds: float

    @property
    def memory(self) -> int:
        """Bytes that a device needs to run it."""
        return self.arguments + self.temporaries + self.code

    def bound(self, chip: Chip) -> float:
        """Return the seconds that it takes at least; see :meth:`Chip.seconds`."""
        return chip.seconds(self.flops, self.moved)

    def bound_by(self, chip: Chip) -> str:
        """Return what the bound comes from: "memory" or "arithmetic"."""
        slower = chip.memory_seconds(self.moved) > chip.arithmetic_seconds(self.flops)
        return "memory" if slower else "arithmetic"


def compiled(traced: jax.stages.Traced, shared_by: int = 1) -> Program:
    """Compile a traced program and read off what it takes.

    Args:
      shared_by: devices that XLA splits the program over; those that it is mapped over don't count.

    Raises:
      DoesNotFit: the compiler says that memory does not suffice.
    """
    start = time.perf_counter()
    try:
        with warnings.catch_warnings():  # one for a TPU that is not here cannot be read from disk
            warnings.filterwarnings("ignore", "Error reading persistent compilation cache")
            program = traced.lower().compile()
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        raise DoesNotFit(f"it does not fit: {_shortage(str(error))}") from None
    return read(program, traced, shared_by, time.perf_counter() - start)


def read(
    program: jax.stages.Compiled,
    traced: jax.stages.Traced,
    shared_by: int = 1,
    seconds: float = 0.0,
) -> Program:
    """Read off what a compiled program takes; ``seconds`` are those that compiling took."""
    cost, memory = program.cost_analysis() or {}, program.memory_analysis()
    returned = memory.output_size_in_bytes - memory.alias_size_in_bytes if memory else 0
    return Program(
        arguments=memory.argument_size_in_bytes if memory else 0,
        temporaries=memory.temp_size_in_bytes + returned if memory else 0,
        code=memory.generated_code_size_in_bytes if memory else 0,
        flops=2.0 * multiply_adds_of_program(traced.jaxpr.jaxpr, loops=1) / shared_by,
        moved=float(cost.get("bytes accessed", 0)),
        collectives=_collectives_of(program),
        seconds=seconds,
    )


def _collectives_of(program: jax.stages.Compiled) -> dict[str, tuple[int, int]] | None:
    try:
        return collectives(program.as_text() or "")
    except jax.errors.JaxRuntimeError:  # met with a program for v5p that its compiler could make
        return None


def collectives(text: str) -> dict[str, tuple[int, int]]:
    """Count the collective operations in a program's text, and the bytes that they result in."""
    counts: dict[str, int] = collections.Counter()
    sizes: dict[str, int] = collections.Counter()
    for types, name in COLLECTIVE.findall(text):
        counts[name] += 1
        sizes[name] += sum(map(_bytes_of, SHAPE.findall(types)))
    return {name: (counts[name], sizes[name]) for name in counts}


def _bytes_of(shape: tuple[str, str]) -> int:
    """Return the bytes of an array of ``("32", "8,128")``: bits of a number, and sides."""
    bits, sides = shape
    return math.prod(int(side) for side in sides.split(",") if side) * int(bits or 8) // 8


def _shortage(message: str) -> str:
    """Return how much is needed and how much there is, as the TPU's compiler says it."""
    found = re.search(r"\(([\d.]+)G\) exceeds available \w+ \(([\d.]+)G\)", message)
    found = found or re.search(r"Used ([\d.]+)G of ([\d.]+)G", message)
    if found:
        return f"it needs {found[1]} GiB, and a device has {found[2]}"
    return message.partition("\n")[0]
