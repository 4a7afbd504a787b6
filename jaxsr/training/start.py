"""Where a run starts: at a checkpoint of its own, at other weights, or anew."""

import grain
import jax
import ml_collections
import optax

from jaxsr.errors import UserError
from jaxsr.training import parallel
from jaxsr.training.checkpoints import Checkpoints, plain
from jaxsr.training.initial import start_from
from jaxsr.training.state import TrainState, new_state
from jaxsr.training.task import Task


def first_state(
    config: ml_collections.ConfigDict,
    task: Task,
    optimizer: optax.GradientTransformation,
    checkpoints: Checkpoints,
    position: grain.DatasetIterator,
    mesh: jax.sharding.Mesh,
) -> TrainState:
    """Return the newest checkpoint's state, with ``position`` moved to its own, or a new state.

    Args:
      position: in the data, a feed's.

    Raises:
      UserError: the checkpoints are damaged, or of another model or optimiser; or what the run is
        to start from does not fit.
    """
    params = jax.jit(task.init)(jax.random.key(config.seed))
    resuming = checkpoints.latest_step() is not None
    if config.init_from and not resuming:
        params = start_from(params, config.init_from, config.get("scale", 4))
    place = parallel.spread if config.shard_params else parallel.replicate
    state = place(new_state(params, optimizer), mesh)
    if not resuming:
        return state
    given = plain(config)
    state = checkpoints.restore(state, position, lambda trained: check_same_run(trained, given))
    step = int(jax.device_get(state.step))
    if step >= (int(jax.device_get(state.horizon)) or config.steps):
        say(f"the run has its {step} steps already; raise config.steps to go on")
    else:
        start = "; config.init_from was for the start" if config.init_from else ""
        say(f"resuming after step {step}{start}")
    return state


def check_same_run(trained: dict, given: dict) -> None:
    """Check that a checkpoint's config has the state that this config's run would have.

    Raises:
      UserError: its task, model, scale or optimiser is another.
    """
    if any(_model_of(trained)[key] != _model_of(given)[key] for key in _model_of(given)):
        raise UserError(
            f"the working directory holds a run of {_described(trained)}, not of "
            f"{_described(given)}; give another --workdir, or that model"
        )
    names = [options["optimizer"]["name"] for options in (trained, given)]
    if names[0] != names[1]:
        raise UserError(
            f"the working directory holds a run of {names[0]}, not {names[1]}; give another "
            f"--workdir, or config.optimizer.name={names[0]}"
        )


def _model_of(config: dict) -> dict:
    scale = config.get("scale") if config["task"] == "super_resolution" else None
    return {"task": config["task"], "model": config["model"], "scale": scale}


def _described(config: dict) -> str:
    model = _model_of(config)
    options = ", ".join(f"{name}={value}" for name, value in model["model"]["options"].items())
    scale = f" at ×{model['scale']}" if model["scale"] else ""
    return f"{model['task']}: {model['model']['name']}({options}){scale}"


def say(text: str) -> None:
    """Print a line, on one host."""
    if jax.process_index() == 0:
        print(text, flush=True)
