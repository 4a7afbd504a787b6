"""Images on the devices: the loop trains as on the host's batches, with several steps a call."""

import json
import signal
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec

from jaxsr.errors import Diverged, UserError
from jaxsr.training import feed, loop
from jaxsr.training.checkpoints import Checkpoints
from jaxsr.training.step import AXIS

TINY = Path(__file__).with_name("tiny.py")


@pytest.fixture(scope="module")
def photos(folder_of, crops):
    return folder_of(crops("astronaut coffee chelsea", slice(100, 180), slice(60, 156)))


@pytest.fixture
def config(photos, module_at):
    config = module_at(TINY).get_config()
    config.data.update(source=f"folder:{photos}", cache=str(photos.parent / "cache"))
    config.data.placement = "device"
    config.update(steps=8, log_every=4, checkpoint_every=4, eval_every=8)
    return config


def params_of(state):
    return jax.device_get((state.params, state.ema))


def assert_same(a, b, atol=0.0):
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=0, atol=atol), a, b)


def steps_logged(workdir):
    return [json.loads(line)["step"] for line in (workdir / "metrics.jsonl").open()]


@pytest.fixture(scope="module")
def of_host(photos, module_at, tmp_path_factory):
    """What batches of the host make of the tiny network in eight steps."""
    config = module_at(TINY).get_config()
    config.data.update(source=f"folder:{photos}", cache=str(photos.parent / "cache"))
    config.update(steps=8)
    return params_of(loop.fit(config, tmp_path_factory.mktemp("host")))


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"steps_per_call": 4}, {"mapper": "pmap"}], ids=str)
def test_images_on_devices_train_as_batches_of_the_host(config, of_host, tmp_path, options):
    config.update(options)
    state = loop.fit(config, tmp_path)
    assert int(state.step) == 8 and steps_logged(tmp_path) == [4, 8]
    assert_same(params_of(state), of_host, atol=1e-6)


@pytest.mark.slow
def test_one_device_trains_as_four_in_pieces_of_the_batch_too(
    config, of_host, tmp_path, monkeypatch
):
    config.accumulate = 2
    one = jax.devices()[:1]
    make_mesh = loop.parallel.make_mesh
    monkeypatch.setattr(loop.parallel, "make_mesh", lambda: make_mesh(one))
    monkeypatch.setattr(jax, "device_count", lambda: 1)
    assert_same(params_of(loop.fit(config, tmp_path)), of_host, atol=1e-5)


@pytest.mark.slow
def test_a_run_goes_on_from_any_step_with_the_same_bits(config, tmp_path):
    """Stopped after step 3, which no call of four steps ends at; then with the host's batches."""
    config.update(steps_per_call=4, checkpoint_every=3)
    config.optimizer.schedule = "constant"  # which the number of steps does not change
    whole = params_of(loop.fit(config, tmp_path / "whole"))
    assert steps_logged(tmp_path / "whole") == [4, 8]
    config.steps = 3
    loop.fit(config, tmp_path / "run")
    config.steps = 6
    loop.fit(config, tmp_path / "run")
    config.steps = 8
    assert_same(params_of(loop.fit(config, tmp_path / "run")), whole, atol=1e-6)

    config.update(steps=3, steps_per_call=0)
    loop.fit(config, tmp_path / "other")
    config.steps = 8
    config.data.placement = "host"
    assert_same(params_of(loop.fit(config, tmp_path / "other")), whole, atol=1e-6)


@pytest.mark.slow
def test_degraded_images_are_the_same_on_any_number_of_devices(config):
    config.data.degradation = "real"
    dataset = loop.TASKS[config.task](config).dataset
    arrays = dataset.pack()

    def drawn(count):
        mesh = loop.parallel.make_mesh(jax.devices()[:count])
        everywhere, split = PartitionSpec(), PartitionSpec(AXIS)
        each = jax.shard_map(
            lambda arrays, places: dataset.draw(arrays, jnp.int32(3), places),
            mesh=mesh,
            in_specs=(everywhere, split),
            out_specs=split,
            check_vma=False,
        )
        return jax.device_get(jax.jit(each)(arrays, jnp.arange(config.batch_size)))

    one, four = drawn(1), drawn(4)
    np.testing.assert_array_equal(one["high"], four["high"])
    # a coefficient of a JPEG may be rounded to the other side, which changes all of its block
    apart = np.abs(one["low"].astype(int) - four["low"])
    assert np.median(apart) == 0 and apart.max() < 60


@pytest.mark.slow
def test_a_run_on_degraded_images_goes_on_with_the_same_bits(config, tmp_path):
    config.update(steps=4, steps_per_call=2)
    config.data.degradation = "real"
    config.optimizer.schedule = "constant"
    whole = params_of(loop.fit(config, tmp_path / "whole"))
    config.steps = 2
    loop.fit(config, tmp_path / "run")
    config.steps = 4
    assert_same(params_of(loop.fit(config, tmp_path / "run")), whole)


@pytest.mark.slow
def test_a_run_stopped_by_a_signal_after_a_call_ends_with_the_same_bits(
    config, tmp_path, monkeypatch, capsys
):
    config.update(steps_per_call=3, log_every=6, checkpoint_every=6)
    whole = params_of(loop.fit(config, tmp_path / "whole"))
    with monkeypatch.context() as patch:
        patch.setattr(loop.Logs, "advance", lambda logs, n: signal.raise_signal(signal.SIGTERM))
        assert int(loop.fit(config, tmp_path / "run").step) == 3
    assert "stopped after step 3" in capsys.readouterr().out
    assert_same(params_of(loop.fit(config, tmp_path / "run")), whole)
    assert steps_logged(tmp_path / "run") == steps_logged(tmp_path / "whole") == [6, 8]


@pytest.mark.slow
def test_nothing_goes_to_the_devices_once_images_are_there(config, tmp_path):
    config.update(steps_per_call=2)
    run, state = loop.prepare(config, tmp_path)
    with jax.transfer_guard_host_to_device("disallow_explicit"):
        state = run.go(state)
    run.logs.close()
    run.checkpoints.close()
    assert int(state.step) == 8 and Checkpoints(tmp_path).latest_step() == 8


@pytest.mark.slow
def test_a_loss_that_is_not_finite_within_a_call_names_its_step_and_images(config, tmp_path):
    config.update(steps_per_call=4, steps=16, log_every=16, checkpoint_every=16, eval_every=16)
    config.optimizer.learning_rate = 1e15
    with pytest.raises(Diverged, match=r"at step \d+; this host's batch was: .*\.png") as several:
        loop.fit(config, tmp_path / "several")
    config.steps_per_call = 1
    with pytest.raises(Diverged) as single:
        loop.fit(config, tmp_path / "single")
    assert str(several.value) == str(single.value)
    assert Checkpoints(tmp_path / "several").latest_step() is None


def test_calls_end_where_something_is_to_be_done():
    def calls(first, last, largest, ends_of):
        number, taken = first, []
        while number < last:
            taken.append(feed.next_call(number, largest, [*ends_of(number), last]))
            number += taken[-1]
        return taken

    every = lambda n: lambda number: [number - number % n + n]  # noqa: E731
    assert calls(0, 20, 10, every(10)) == [10, 10]
    assert calls(0, 20, 4, every(10)) == [4, 4, 1, 1, 4, 4, 1, 1]
    assert calls(7, 20, 10, every(10)) == [1, 1, 1, 10]
    assert calls(0, 5, 10, every(10)) == [1] * 5
    assert calls(0, 3, 1, every(10)) == [1] * 3


def test_cpus_leave_images_with_the_host_and_take_single_steps(config):
    config.data.placement = "auto"
    mesh = loop.parallel.make_mesh()
    dataset = loop.TASKS[config.task](config).dataset
    assert not feed.belongs_on_devices(dataset, config, mesh)
    assert feed.steps_per_call(config, resident=True) == 1
    config.update(steps_per_call=100)
    assert feed.steps_per_call(config, resident=True) == 4  # logs and checkpoints are every 4 steps


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data.placement": "disk"}, "placement is 'disk'; use one of auto, device, host"),
        (
            {"data.memory_share": 1e-12},
            r"images take .* GB packed, more than .*share, 1e-12",
        ),
        ({"data.memory_share": 0.0}, r"memory_share is 0.0; give a share in \(0, 1\]"),
        ({"data.placement": "host", "steps_per_call": 2}, "steps_per_call is 2, which needs"),
        ({"steps_per_call": -1}, "steps_per_call is -1; give 0"),
    ],
    ids=str,
)
def test_what_cannot_be_is_one_line(config, tmp_path, change, message):
    config.update_from_flattened_dict(change)
    with pytest.raises(UserError, match=message) as error:
        loop.fit(config, tmp_path)
    assert "\n" not in str(error.value)
