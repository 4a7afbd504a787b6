import types

import pytest

from jaxsr.training import limit
from jaxsr.training.config import default_config


@pytest.fixture
def clock(monkeypatch):
    """The time in seconds, ``clock.now``, which stands still unless a test moves it."""
    clock = types.SimpleNamespace(now=1000.0)
    monkeypatch.setattr(limit.time, "perf_counter", lambda: clock.now)
    return clock


def of(minutes=10.0, steps=100_000):
    config = default_config()
    config.update(minutes=minutes, steps=steps)
    return limit.Limit(config)


def test_without_minutes_the_config_says_how_many_steps(clock):
    run = of(minutes=0.0, steps=7)
    assert (run.steps, run.is_open, run.probed) == (7, False, 0)


def test_minutes_hold_as_many_steps_as_the_first_hundred_say(clock):
    run = of(minutes=10.0)
    clock.now += 60  # compiling
    run.warm(1)
    assert run.probed == 101
    clock.now += 100  # a second a step
    # 440 s are left, and 30 s of 600 are kept for the end
    assert run.decide(101) == 101 + 410
    assert not run.is_open and run.steps == 511


def test_the_length_is_decided_after_a_hundred_steps_or_a_quarter_of_the_time(clock):
    run = of(minutes=10.0)
    run.warm(1)
    assert not run.is_due(1) and not run.is_due(100)
    assert run.is_due(101)
    clock.now += 151
    assert run.is_due(2)
    run.decide(2)
    assert not run.is_due(3)


def test_a_resumed_run_keeps_the_length_that_was_decided(clock):
    run = of(minutes=10.0)
    run.resume(0)
    assert run.is_open
    run.resume(511)
    assert (run.steps, run.is_open) == (511, False)


def test_a_run_out_of_time_takes_one_more_step_and_none_takes_more_than_the_config_says(clock):
    run = of(minutes=1.0)
    run.warm(1)
    clock.now += 3600
    assert run.decide(101) == 102
    run = of(minutes=60.0, steps=150)
    run.warm(1)
    clock.now += 1
    assert run.decide(101) == 150
