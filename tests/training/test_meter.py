import dataclasses
import time

import pytest

from jaxsr.chips.programs import Program
from jaxsr.chips.table import CHIPS
from jaxsr.training.meter import Meter, speeds

PROGRAM = Program(
    arguments=1, temporaries=1, code=1, flops=197e12, moved=819e9 / 2, collectives={}, seconds=1.0
)


def test_mfu_and_share_of_the_roofline_are_those_of_the_chip():
    # 16 examples at 4 a second are 4 s, and the chip's peaks allow 1 s for the arithmetic
    found = speeds(4.0, PROGRAM, 16, CHIPS["v5e"])
    assert found == pytest.approx(
        {"examples/s": 4.0, "TFLOP/s": 197 / 4, "MFU": 0.25, "roofline": 0.25}
    )


def test_a_program_bound_by_memory_reaches_its_roofline_before_its_arithmetic_peak():
    moving = dataclasses.replace(PROGRAM, moved=2 * 819e9)
    found = speeds(8.0, moving, 16, CHIPS["v5e"])  # in the 2 s that memory takes
    assert found["roofline"] == pytest.approx(1.0)
    assert found["MFU"] == pytest.approx(0.5)


def test_an_unknown_chip_has_no_shares():
    assert speeds(4.0, PROGRAM, 16, None).keys() == {"examples/s", "TFLOP/s"}


def test_there_are_no_figures_without_a_speed():
    assert speeds(0.0, PROGRAM, 16, CHIPS["v5e"]) == {}


def test_what_does_not_slow_steps_is_left_out_of_their_speed():
    meter = Meter(batch_size=2)
    meter.start(0)
    with meter.spending("evaluating", slows=False):
        time.sleep(0.3)
    assert meter.read(10) > 20 / 0.25
    with meter.spending("waiting for data"):
        time.sleep(0.3)
    assert meter.read(20) < 20 / 0.3


def test_goodput_is_what_is_left_of_the_time_for_steps():
    meter = Meter(batch_size=2)
    with meter.spending("compiling", slows=False):
        time.sleep(0.2)
    with meter.spending("saving"):
        time.sleep(0.1)
    time.sleep(0.1)
    text = meter.goodput()
    share = int(text.removeprefix("goodput ").partition("%")[0])
    assert 10 <= share <= 35
    assert text.endswith("seconds compiling 0.2, saving 0.1")
