"""What a program takes of a chip, in words and in rows of a table."""

from jaxsr.chips.programs import DoesNotFit, Program
from jaxsr.chips.table import GIB
from jaxsr.chips.topology import Topology


def fits(program: Program, topology: Topology) -> Program:
    """Return ``program`` if a device of ``topology`` has the memory for it.

    Raises:
      DoesNotFit: it has not. A TPU's compiler says so itself, other compilers do not.
    """
    chip = topology.chip
    if chip and program.memory > chip.memory * GIB:
        need = f"{program.memory / GIB:.1f} GiB, and a {chip.name} has {chip.memory:g}"
        raise DoesNotFit(f"it does not fit: it needs {need}")
    return program


def described(program: Program, topology: Topology, examples: int) -> str:
    """Return several lines on a program that computes ``examples`` on all devices together."""
    chip, devices = topology.chip, len(topology.devices)
    lines = {
        "devices": f"{devices} on {_plural(topology.hosts, 'host')}, {topology.name}",
        "memory": memory(program) + (f" of {chip.memory:g} GiB" if chip else ""),
        "": parts(program),
        "arithmetic": f"{program.flops / 1e9:.4g} GFLOP a device",
        "moved": f"{program.moved / 1e9:.4g} GB a device",
        "bound": bound(program, topology, examples),
        "messages": messages(program) or "none",
        "compiled in": f"{program.seconds:.0f} s",
    }
    return "\n".join(f"{name:<12} {text}" for name, text in lines.items())


HEADINGS = f"{'memory':>9} {'GFLOP':>9} {'GB':>8} {'bound':>10} {'by':<10} {'compiled':>8}"


def row(program: Program, topology: Topology) -> str:
    """Return one line of a table with ``HEADINGS``; "bound" is the least time of a program."""
    chip = topology.chip
    bound = f"{1e3 * program.bound(chip):.3g} ms" if chip else "-"
    by = program.bound_by(chip) if chip else "-"
    flops, moved = program.flops / 1e9, program.moved / 1e9
    cells = f"{memory(program):>9} {flops:>9.4g} {moved:>8.3g} {bound:>10} {by:<10}"
    return f"{cells} {program.seconds:>6.0f} s"


def memory(program: Program) -> str:
    """Return the memory that a device needs."""
    return _gib(program.memory)


def bound(program: Program, topology: Topology, examples: int) -> str:
    """Return what the chip's peaks allow at best: a step's time, and examples a second."""
    chip = topology.chip
    if chip is None:
        return "unknown: the table of chips has none of this kind"
    seconds, by = program.bound(chip), program.bound_by(chip)
    each = {
        "arithmetic": chip.arithmetic_seconds(program.flops),
        "memory": chip.memory_seconds(program.moved),
    }
    times = ", ".join(f"{name} {1e3 * time:.3g} ms" for name, time in each.items())
    return f"{1e3 * seconds:.3g} ms by {by} ({times}): at most {examples / seconds:,.0f} a second"


def messages(program: Program) -> str:
    """Return the operations by which devices exchange data, with their number and bytes."""
    if program.collectives is None:
        return "unknown: XLA cannot print this program"
    found = program.collectives.items()
    return ", ".join(f"{count} {name} of {size / 1e6:.3g} MB" for name, (count, size) in found)


def parts(program: Program) -> str:
    """Return what the memory is for."""
    names = "arguments", "temporaries", "code"
    return ", ".join(f"{name} {_gib(getattr(program, name))}" for name in names)


def _gib(size: int) -> str:
    return f"{size / GIB:.3g} GiB" if size >= GIB / 10 else f"{size / 2**20:.3g} MiB"


def _plural(count: int, what: str) -> str:
    return f"{count} {what}" + "s" * (count != 1)
