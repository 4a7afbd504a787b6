"""What a run's step takes on devices that need not be here, without data."""

import dataclasses
import tempfile
from pathlib import Path

import jax
import ml_collections
import numpy as np
import PIL.Image
from jax.sharding import NamedSharding, PartitionSpec

from jaxsr.chips import programs, report
from jaxsr.chips.programs import DoesNotFit, Program
from jaxsr.chips.topology import Topology
from jaxsr.errors import UserError
from jaxsr.training import loop, parallel
from jaxsr.training.feed import may_be_on_devices
from jaxsr.training.state import new_state
from jaxsr.training.step import AXIS
from jaxsr.training.task import Task


def compile_step(config: ml_collections.ConfigDict, topology: Topology) -> Program:
    """Compile a config's training step for ``topology``.

    Raises:
      UserError: an option cannot be; or, as :class:`jaxsr.chips.programs.DoesNotFit`, the step
        needs more memory than a device has.
    """
    shared_by = len(topology.devices) if config.shard_params else 1
    program = programs.compiled(trace_step(config, topology), shared_by)
    # XLA counts a loop's body once, and nearly all is in the loop over the pieces of a batch
    return dataclasses.replace(program, moved=program.moved * config.accumulate)


def trace_step(config: ml_collections.ConfigDict, topology: Topology) -> jax.stages.Traced:
    """Trace a config's training step as it is compiled for ``topology``.

    Where the images may be on the devices, it draws its batch there, from a single image.

    Raises:
      UserError: an option cannot be.
    """
    config = config.copy_and_resolve_references()
    loop.check(config, len(topology.devices))
    mesh = topology.mesh(AXIS)
    resident = may_be_on_devices(config, mesh)
    with tempfile.TemporaryDirectory() as folder:
        task, data = _without_data(config, Path(folder), resident)
    everywhere, split = (
        NamedSharding(mesh, spec) for spec in (PartitionSpec(), PartitionSpec(AXIS))
    )
    step, optimizer = loop.step_of(task, config, resident)
    state = jax.eval_shape(lambda key: new_state(task.init(key), optimizer), jax.random.key(0))
    step = loop.placing(task, config, mesh, optimizer, resident)(step)
    layout = parallel.parts_of(state, mesh) if config.shard_params else everywhere
    data = _placed(data, everywhere if resident else split)
    return step.trace(_placed(state, layout), data, _placed(task.frozen, everywhere))


def report_step(config: ml_collections.ConfigDict, topology: Topology) -> str:
    """Return several lines on what a config's training step takes of ``topology``.

    Raises:
      UserError: as :func:`compile_step`; where it does not fit, with what to change.
    """
    try:
        program = report.fits(compile_step(config, topology), topology)
    except DoesNotFit as error:
        each = config.batch_size // len(topology.devices)
        raise UserError(
            f"{error}; lower config.batch_size ({each} examples a device), raise "
            "config.accumulate, set config.dtype=bfloat16, or take more devices"
        ) from None
    return report.described(program, topology, config.batch_size)


def _placed(tree, sharding):
    """Return the shapes of a tree with one sharding for all, or with a tree of them."""
    if isinstance(sharding, NamedSharding):
        sharding = jax.tree.map(lambda _: sharding, tree)
    return jax.tree.map(
        lambda x, where: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=where), tree, sharding
    )


def _without_data(
    config: ml_collections.ConfigDict, folder: Path, resident: bool
) -> tuple[Task, dict]:
    """Return the task, and shapes: of a batch of all hosts, or of packed images.

    One image of noise is all its data: no other shapes depend on the images.
    """
    task = loop.TASKS[config.task](_with_noise(config, folder, config.batch_size))
    if resident:
        return task, jax.eval_shape(task.dataset.pack)
    one = loop.TASKS[config.task](_with_noise(config, folder, 1)).dataset.batch(0)
    one.pop("index")
    size = config.batch_size
    return task, {k: jax.ShapeDtypeStruct((size, *x.shape[1:]), x.dtype) for k, x in one.items()}


def _with_noise(
    config: ml_collections.ConfigDict, folder: Path, batch_size: int
) -> ml_collections.ConfigDict:
    """Return a config whose data is one image of noise, with a mask where that is needed."""
    config = config.copy_and_resolve_references()
    data = config.data
    side = data.crop if "crop" in data else data.low_crop * config.scale
    noise = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    _write(folder / "images" / "noise.png", noise)
    if "mask_classes" in data:
        value = np.atleast_1d(data.mask_classes[0])[0] if data.mask_classes else 0
        _write(folder / "masks" / "noise.png", np.full((side, side), value, np.uint8))
    else:
        folder = folder / "images"
    data.update(source=f"folder:{folder}", cache=str(folder / "cache"), workers=0)
    if data.get("degradation") == "given":  # with the image, which has none here
        data.degradation = "bicubic"
    config.update(batch_size=batch_size, eval_data="")
    return config


def _write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(exist_ok=True)
    PIL.Image.fromarray(pixels).save(path)
