import pytest

from jaxsr.chips.table import CHIPS, chip_of


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("TPU v4", "v4"),
        ("TPU v5 lite", "v5e"),
        ("TPU v5", "v5p"),
        ("TPU v5p", "v5p"),
        ("TPU v6 lite", "v6e"),
        ("NVIDIA A100-SXM4-40GB", "A100-40GB"),
        ("NVIDIA A100-SXM4-80GB", "A100"),
        ("NVIDIA H100 80GB HBM3", "H100"),
        ("NVIDIA H100 PCIe", "H100-PCIe"),
        ("NVIDIA H200", "H200"),
        ("NVIDIA L4", "L4"),
        ("NVIDIA GeForce RTX 4090", "4090"),
    ],
)
def test_a_chip_is_known_by_what_jax_calls_it(kind, name):
    assert chip_of(kind) is CHIPS[name]


def test_a_cpu_and_an_unknown_gpu_have_no_peaks():
    for kind in ("cpu", "NVIDIA L40S", "NVIDIA GeForce RTX 4090 D"):
        assert chip_of(kind) is None


def test_the_bound_is_the_slower_of_arithmetic_and_memory():
    chip = CHIPS["v5e"]
    assert chip.seconds(197e12, 0.0) == pytest.approx(1)
    assert chip.seconds(0.0, 819e9) == pytest.approx(1)
    assert chip.seconds(197e12, 3 * 819e9) == pytest.approx(3)
