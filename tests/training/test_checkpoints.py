"""Checkpoints whose files are damaged: the one before is taken, or one line says what to do."""

import shutil

import grain
import jax
import numpy as np
import optax
import pytest

from jaxsr.errors import UserError
from jaxsr.training.checkpoints import Checkpoints, load_weights
from jaxsr.training.config import default_config
from jaxsr.training.parallel import make_mesh, replicate
from jaxsr.training.state import new_state

OPTIMIZER = optax.adam(0.1)


def state_of(step):
    params = {"kernel": np.full((4, 3), step, np.float32), "bias": np.zeros(3, np.float32)}
    state = new_state(params, OPTIMIZER).replace(step=np.int32(step))
    return replicate(state, make_mesh(jax.devices()[:1]))


def batches():
    return iter(grain.MapDataset.range(100).repeat().to_iter_dataset())


def config():
    config = default_config()
    config.model.name = "span_compact"
    return config


@pytest.fixture
def run(tmp_path):
    """A working directory with checkpoints of steps 1, 2 and 3."""
    checkpoints, data = Checkpoints(tmp_path), batches()
    for step in (1, 2, 3):
        next(data)
        checkpoints.save(state_of(step), data, config())
    checkpoints.close()
    return tmp_path


def folder_of(run, step):
    return run / "checkpoints" / str(step)


def cut_short(folder):
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("r+b") as file:
                file.truncate(path.stat().st_size // 2)


def lose(*names):
    def damage(folder):
        for name in names:
            shutil.rmtree(folder / name)

    return damage


def lose_arrays(folder):
    shutil.rmtree(folder / "state" / "d")


def overwrite(folder):
    for path in (folder / "state").rglob("*"):
        if path.is_file():
            path.write_bytes(bytes(path.stat().st_size))


DAMAGES = {
    "files cut short": cut_short,
    "files of zeros": overwrite,
    "no state": lose("state"),
    "no position in the data": lose("data"),
    "no config": lose("meta"),
    "no arrays": lose_arrays,
    "nothing": lose("state", "data", "meta"),
}


@pytest.fixture(params=DAMAGES)
def damage(request):
    return DAMAGES[request.param]


def test_where_the_newest_is_damaged_the_one_before_is_taken(run, damage, caplog):
    damage(folder_of(run, 3))
    checkpoints, data = Checkpoints(run), batches()
    state = checkpoints.restore(state_of(0), data, check=lambda config: None)
    assert int(state.step) == 2 and (np.asarray(state.params["kernel"]) == 2).all()
    assert next(data) == 2  # two were given out before
    (line,) = [record.getMessage() for record in caplog.records]
    assert "checkpoint of step 3" in line and "going back to that of step 2" in line
    assert "\n" not in line
    # it is out of the way of the one that is saved when the run is there again
    assert (run / "damaged" / "3").is_dir() and checkpoints.latest_step() == 2
    checkpoints.save(state_of(3), data, config())
    checkpoints.close()
    assert (load_weights(run).params["kernel"] == 3).all()


def test_where_all_are_damaged_one_line_names_the_step_and_the_remedy(run):
    for step in (1, 2, 3):
        cut_short(folder_of(run, step))
    checkpoints = Checkpoints(run)
    with pytest.raises(
        UserError, match=r"checkpoint of step 3 is damaged.*\[2, 1\].*--workdir"
    ) as e:
        checkpoints.restore(state_of(0), batches(), check=lambda config: None)
    checkpoints.close()
    assert "\n" not in str(e.value) and len(str(e.value)) < 400
    assert not (run / "damaged").exists()  # nothing is moved that isn't replaced
    with pytest.raises(UserError, match="checkpoint of step 3 is damaged"):
        load_weights(run)


@pytest.mark.parametrize("damage", ["files cut short", "no state", "no config"], indirect=True)
def test_weights_are_read_from_the_one_before_and_nothing_is_moved(run, damage, caplog):
    damage(folder_of(run, 3))
    weights = load_weights(run)
    assert weights.notes["step"] == "2" and (weights.params["kernel"] == 2).all()
    assert "going back to that of step 2" in caplog.text
    assert folder_of(run, 3).is_dir()


def test_a_run_of_another_model_is_no_damage(run):
    def refuse(config):
        raise UserError("another model")

    checkpoints = Checkpoints(run)
    with pytest.raises(UserError, match="another model"):
        checkpoints.restore(state_of(0), batches(), refuse)
    checkpoints.close()
