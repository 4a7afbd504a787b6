"""What chips can do at most, by their makers' data sheets: arithmetic, traffic, memory."""

import dataclasses
import re

GIB = 2**30


@dataclasses.dataclass(frozen=True)
class Chip:
    """One chip, as far as a program's speed and size depend on it.

    Attributes:
      name: what people call it.
      device_kind: a pattern of what JAX calls its devices.
      tflops: arithmetic in 10¹² operations a second, a multiply-add being two: dense products of
        bfloat16 numbers summed in float32.
      bandwidth: memory traffic in 10⁹ bytes a second.
      memory: in GiB.
    """

    name: str
    device_kind: str
    tflops: float
    bandwidth: float
    memory: float

    def seconds(self, flops: float, moved: float) -> float:
        """Return the roofline bound: no program of so many operations and bytes is faster.

        Source: Williams, Waterman and Patterson, "Roofline" (2009).
        """
        return max(self.arithmetic_seconds(flops), self.memory_seconds(moved))

    def arithmetic_seconds(self, flops: float) -> float:
        """Return how long so many operations take at least."""
        return flops / (self.tflops * 1e12)

    def memory_seconds(self, moved: float) -> float:
        """Return how long it takes at least to move so many bytes."""
        return moved / (self.bandwidth * 1e9)


CHIPS = {
    chip.name: chip
    for chip in (
        Chip("v4", r"TPU v4", 275.0, 1228.0, 32.0),
        Chip("v5e", r"TPU v5 lite|TPU v5e", 197.0, 819.0, 16.0),
        Chip("v5p", r"TPU v5p?", 459.0, 2765.0, 95.0),
        Chip("v6e", r"TPU v6 lite|TPU v6e", 918.0, 1640.0, 32.0),
        Chip("A100-40GB", r"NVIDIA A100.*40GB", 312.0, 1555.0, 40.0),
        Chip("A100", r"NVIDIA A100.*", 312.0, 2039.0, 80.0),
        Chip("H200", r"NVIDIA H200.*", 989.0, 4800.0, 141.0),
        Chip("H100-PCIe", r"NVIDIA H100 PCIe", 756.0, 2000.0, 80.0),
        Chip("H100", r"NVIDIA H100.*", 989.0, 3350.0, 80.0),
        Chip("L4", r"NVIDIA L4", 121.0, 300.0, 24.0),
        Chip("4090", r"NVIDIA GeForce RTX 4090", 165.0, 1008.0, 24.0),
    )
}


def chip_of(device_kind: str) -> Chip | None:
    """Return the chip that JAX calls so, or None where the table has none, as for a CPU."""
    known = CHIPS.values()
    return next((chip for chip in known if re.fullmatch(chip.device_kind, device_kind)), None)
