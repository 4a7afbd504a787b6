"""The runner: every job gets its own result, in order, from whatever devices and batches."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxsr.tiling import runner
from jaxsr.tiling.runner import OutOfMemory, Runner

PARAMS = {"factor": np.float32(3), "shift": np.float32([1, 2])}


def affine(params, x, places):
    return {"y": params["factor"] * x + params["shift"], "place": places}


def inputs(job):
    height, value = job
    return np.full((height, 2), value, np.float32), np.array(value, np.int32)


def check(results, jobs, factor=3):
    results = list(results)
    assert [job for job, _ in results] == list(jobs)
    for (height, value), result in results:
        np.testing.assert_array_equal(
            result["y"], np.tile(factor * value + PARAMS["shift"], (height, 1))
        )
        assert result["place"] == value


@pytest.mark.parametrize("devices", [1, 2, 4])
@pytest.mark.parametrize("most", [1, 3, 8])
def test_results_come_in_order_whatever_batches_are_filled_up_with(devices, most):
    run = Runner(affine, PARAMS, jax.local_devices()[:devices]).run
    for count in (0, 1, 2, 5, 13):
        jobs = [(4, value) for value in range(count)]
        check(run([(jobs, most)], inputs), jobs)


def test_groups_of_several_shapes_follow_each_other():
    groups = [([(2, 5), (2, 6), (2, 7)], 2), ([(3, 1)], 2), ([], 1), ([(1, 8), (1, 9)], 1)]
    check(Runner(affine, PARAMS).run(groups, inputs), [job for jobs, _ in groups for job in jobs])
    assert list(Runner(affine, PARAMS).run([], inputs)) == []


def test_batches_are_powers_of_two_a_device_and_no_larger_than_wanted():
    shapes = Runner(affine, PARAMS, jax.local_devices()[:2])
    list(shapes.run([([(4, value) for value in range(23)], 5)], inputs))
    assert {key[1][0][0] for key in shapes._programs} == {8, 4, 2}  # 8 + 8 + 4 + 2 + 1 of 2


def test_a_single_job_runs_on_one_device():
    one = Runner(affine, PARAMS)
    check(one.run([([(4, 7)], 8)], inputs), [(4, 7)])
    assert [key[0] for key in one._programs] == [1]
    assert one._alone.devices == one.devices[:1]


def test_other_parameters_share_what_is_compiled(monkeypatch):
    first = Runner(affine, PARAMS)
    jobs = [(4, value) for value in range(6)]
    for waiting in (jobs, jobs[:1]):
        check(first.run([(waiting, 8)], inputs), waiting)
    monkeypatch.setattr(Runner, "_compile", lambda *_: pytest.fail("compiled again"))
    second = first.with_params(PARAMS | {"factor": np.float32(5)})
    for waiting in (jobs, jobs[:1]):
        check(second.run([(waiting, 8)], inputs), waiting, factor=5)
        check(first.run([(waiting, 8)], inputs), waiting)


def test_nothing_but_inputs_and_results_travels():
    with jax.transfer_guard("disallow"):
        placed = Runner(affine, PARAMS)
        for jobs in ([(4, 0)], [(4, value) for value in range(9)]):
            for _ in range(2):
                check(placed.run([(jobs, 2)], inputs), jobs)
        other = placed.with_params(PARAMS | {"factor": np.float32(5)})
        check(other.run([([(4, 1)], 2)], inputs), [(4, 1)], factor=5)


def test_one_batch_is_computed_ahead():
    asked = []

    def watched(job):
        asked.append(job[1])
        return inputs(job)

    results = Runner(affine, PARAMS, jax.local_devices()[:1]).run(
        [([(4, value) for value in range(4)], 1)], watched
    )
    next(results)
    assert asked == [0, 1]


def test_too_large_a_batch_is_refused_before_it_runs(monkeypatch):
    def large(params, x):
        return jnp.outer(params * x.ravel(), x.ravel())[None]  # 4 MB

    monkeypatch.setattr(runner, "free_memory", lambda device: 1_000_000)
    calls = Runner(large, np.float32(1), jax.local_devices()[:1])
    with pytest.raises(OutOfMemory):
        list(calls.run([([0], 1)], lambda _: (np.ones(1000, np.float32),)))


def test_memory_is_looked_at_again_where_it_was_enough_before(monkeypatch):
    filled = Runner(affine, PARAMS, jax.local_devices()[:1])
    check(filled.run([([(4, 1)], 1)], inputs), [(4, 1)])
    monkeypatch.setattr(runner, "free_memory", lambda device: 10)
    with pytest.raises(OutOfMemory):
        list(filled.run([([(4, 1)], 1)], inputs))


@pytest.mark.parametrize(
    "error",
    [MemoryError(), jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating")],
)
def test_exhausted_memory_has_one_name(error):
    def exhausted(_):
        raise error

    with pytest.raises(OutOfMemory), runner.memory_errors():
        exhausted(None)


def test_any_other_error_keeps_its_own():
    with pytest.raises(jax.errors.JaxRuntimeError, match="INTERNAL"), runner.memory_errors():
        raise jax.errors.JaxRuntimeError("INTERNAL: something else")


def test_free_memory_is_within_what_the_machine_has():
    assert 0 < runner.free_memory(jax.local_devices()[0]) < 2**50
