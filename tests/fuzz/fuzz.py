"""Fuzzes the codec's decoder, led by the lines of Python that files reach.

    make fuzz MINUTES=10
    python tests/fuzz/fuzz.py --minutes 10 [--files 100000] [libFuzzer's flags]
    python tests/fuzz/fuzz.py FILE...                     # once each, to see what one does

It begins with the corpus beside this script and with what earlier runs kept in ``.cache/fuzz``. The
first fault ends it: the file that led to it is written there, and its traceback printed. At the end
it says how all files ended; see ``harness.py`` for what has to come of them.

It needs atheris: pip install 'jaxsr[fuzz]'.
"""

import argparse
import ctypes
import os
import random
import sys
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import atheris
import jax

HERE = Path(__file__).parent
CACHE = HERE.parent.parent / ".cache"
FOUND = CACHE / "fuzz"

jax.config.update("jax_compilation_cache_dir", str(CACHE / "jax"))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)

with atheris.instrument_imports(include=["jaxsr.codec"]):
    import harness

    from jaxsr.codec import container
    from jaxsr.errors import UserError

WHOLE = 0.2  # of all mutations change the file as it lies, so that its lengths may be wrong
FORGIVEN = 0.9  # of these leave the magic number and the version as they are
TIMEOUT = 60  # seconds by the clock; the harness itself bounds those of the processor


def mutated(data: bytes, max_size: int, seed: int) -> bytes:
    """Mutate a file: as it lies, or in one part of it, whose length is then set right."""
    rng = random.Random(seed)
    try:
        parts = None if rng.random() < WHOLE else split(data)
    except UserError:
        parts = None
    if not parts:
        changed = atheris.Mutate(data, max_size)
        start = 5 if rng.random() < FORGIVEN else 0
        return data[:start] + changed[start:]
    i = rng.choices(range(len(parts)), [weight(part) for part in parts])[0]
    before, body, after = parts[i]
    room = max(2, max_size - len(data) + len(body))
    parts[i] = before, atheris.Mutate(body or b"\0\0", room), after
    return b"".join(joined(place, part) for place, part in enumerate(parts)) + b"crc?"


def split(data: bytes) -> list[tuple[bytes | None, bytes, bytes]]:
    """Split a file into header, sections and tiles: what stands before, the body, what follows."""
    layout = container.inspect(data)
    header = data[: layout.parts.get("header", 0)]
    sections = [(None, body, b"") for body in layout.sections.values()]
    tiles = [
        (bytes([tile.lanes.bit_length() - 1]), tile.words, tile.check.to_bytes(4, "little"))
        for tile in layout.tiles
    ]
    return [(b"", header, b""), *sections, *tiles] if header else []


def weight(part: tuple[bytes | None, bytes, bytes]) -> int:
    """Return how often to change a part: tiles most, as most changes elsewhere are errors."""
    before, _, after = part
    return 12 if after else 1 if before == b"" else 3


def joined(place: int, part: tuple[bytes | None, bytes, bytes]) -> bytes:
    """Return a part's bytes; all but the header have their length before them."""
    before, body, after = part
    if place == 0:
        return body
    if before is None:
        return container.varint(len(body)) + body
    words = body[: len(body) // 2 * 2]
    return before + container.varint(len(words) // 2) + words + after


CALLBACK = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def at_exit(call) -> None:
    """Call at the end of the process, which libFuzzer's exit is, too, but not Python's atexit."""
    at_exit.kept = CALLBACK(lambda _: call())  # for as long as the process
    ctypes.CDLL(None).__cxa_atexit(at_exit.kept, None, None)


def main() -> None:
    """Fuzz as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=10, help="how long; 10")
    parser.add_argument("--files", type=int, default=-1, help="stop after so many; no limit")
    parser.add_argument("--folder", type=Path, default=FOUND, help="keeps what was found")
    own, others = parser.parse_known_args()
    own.folder.mkdir(parents=True, exist_ok=True)
    fuzzed = harness.Harness(harness.load_small())
    for data in harness.seeds().values():  # compiles, so that times and memory are those of files
        fuzzed(data, thorough=True)
    at_exit(lambda: print(fuzzed.report(), flush=True))
    single = any(not argument.startswith("-") for argument in others)
    limits = [
        f"-max_total_time={int(60 * own.minutes)}",
        f"-runs={own.files}",
        f"-max_len={harness.MAX_BYTES}",
        f"-timeout={TIMEOUT}",
        f"-rss_limit_mb={harness.most_memory(own.minutes)}",
        f"-artifact_prefix={own.folder}/bad-",
        "-print_final_stats=1",
    ]
    folders = [str(own.folder), str(HERE / "corpus")]
    arguments = [sys.argv[0], *others] if single else [sys.argv[0], *limits, *others, *folders]
    atheris.Setup(arguments, fuzzed, custom_mutator=mutated)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
