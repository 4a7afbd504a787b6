"""Are our networks the published ones? Small ones with random weights, beside PyTorch's.

    python benchmarks/parity.py --torch ../peers/bin/python

``--torch`` is the Python of an environment with torch and spandrel (see parity_torch.py). It saves
state dicts and what the networks answer to an image; here the state dicts go through ``jaxsr
convert``'s own reader and rules, and the answers are compared; then what was read is written as
``jaxsr convert --to pytorch`` does, loaded strictly by PyTorch's modules, and their answers to the
same image are compared with the first ones. Fails if one differs by more than ``TOLERANCE``.

``--write-golden FOLDER`` also keeps each case in one file, which tests/networks/test_parity.py
checks without PyTorch. Their weights are half-precision values, so 16 bits lose nothing of them.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import jax
import numpy as np

from jaxsr import networks
from jaxsr.networks import count
from jaxsr.zoo.convert import convert
from jaxsr.zoo.published import write_published
from jaxsr.zoo.pytorch import read_checkpoint

TORCH_SIDE = Path(__file__).with_name("parity_torch.py")
TOLERANCE = 1e-4  # of an output in [0, 1]; of its largest value, where that is more than 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--torch", required=True, metavar="PYTHON", help="has torch and spandrel")
    parser.add_argument("--write-golden", type=Path, metavar="FOLDER")
    parser.add_argument("--only", default="", metavar="NAME[,NAME]", help="cases, such as hat_x3")
    flags = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        command = [flags.torch, "-W", "ignore", str(TORCH_SIDE), folder, flags.only]
        subprocess.run(command, check=True)
        cases = sorted(Path(folder).glob("*.npz"))
        print("| network | parameters | max abs output | max abs difference |\n|---|--:|--:|--:|")
        agreed = [compare(case) for case in cases]
        subprocess.run([*command, "--written"], check=True)
        print("\n| written | loaded by | max abs difference |\n|---|---|--:|")
        agreed += [compare_written(case) for case in cases]
        if flags.write_golden:
            for case in cases:
                write_golden(case, flags.write_golden / case.name)
    sys.exit(not all(agreed))


def compare(case: Path) -> bool:
    """Print a row of the table, write the weights for PyTorch; true if the two agree."""
    expected = np.load(case)
    weights = convert(read_checkpoint(case.with_suffix(".pth")), **scale_of(case))
    network = networks.create(weights.network, **weights.options)
    with jax.default_matmul_precision("highest"):
        output = jax.jit(network.apply)({"params": weights.params}, expected["input"][None])[0]
    largest = np.abs(expected["output"]).max()
    difference = np.abs(np.asarray(output) - expected["output"]).max()
    print(f"| {case.stem} | {count.parameters(network):,} | {largest:.2f} | {difference:.1e} |")
    write_published(case.with_suffix(".safetensors"), weights)
    return bool(difference <= TOLERANCE * max(1, largest))


def compare_written(case: Path) -> bool:
    """Print a row on what PyTorch made of the weights that we wrote; true if it is the same."""
    expected, answer = np.load(case), np.load(case.with_suffix(".answer"))
    largest = np.abs(expected["output"]).max()
    difference = np.abs(answer["output"] - expected["output"]).max()
    print(f"| {case.stem} | {answer['loader']} | {difference:.1e} |")
    return bool(difference <= TOLERANCE * max(1, largest))


def scale_of(case: Path) -> dict[str, int]:
    return {"scale": int(case.stem.rpartition("_x")[2])}


def write_golden(case: Path, target: Path) -> None:
    """Write an .npz of the input in 8 bits, the output, and the state dict in 16 if enough."""
    expected, state = np.load(case), read_checkpoint(case.with_suffix(".pth"))
    arrays = {}
    for name, value in state.items():
        half = value.astype(np.float16)
        arrays[f"state/{name}"] = half if (half == value).all() else value
    pixels = np.round(255 * expected["input"]).astype(np.uint8)
    np.savez_compressed(target, input=pixels, output=expected["output"], **arrays)


if __name__ == "__main__":
    main()
