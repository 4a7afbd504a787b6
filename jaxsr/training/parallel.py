"""Devices and hosts: the mesh, where arrays live, and mapping one device's step over all."""

import functools
import math
from collections.abc import Callable, Sequence

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jaxsr.errors import UserError
from jaxsr.training.step import AXIS

SMALLEST_SPREAD = 2**12  # numbers: smaller arrays cost more to fetch than to have everywhere


def make_mesh(devices: Sequence[jax.Device] | None = None) -> Mesh:
    """Lay all devices of all hosts, or those given, in one line: data parallelism."""
    devices = jax.devices() if devices is None else devices
    return jax.make_mesh((len(devices),), (AXIS,), axis_types=(AxisType.Auto,), devices=devices)


def replicate(tree, mesh: Mesh):
    """Put a tree's values on every device, as global arrays."""
    sharding = NamedSharding(mesh, PartitionSpec())
    return jax.tree.map(
        lambda x: jax.make_array_from_process_local_data(sharding, np.asarray(x)), tree
    )


def spread(tree, mesh: Mesh):
    """Put each array of a tree in parts on all devices, and those too small for that on every one.

    So a state takes a part of each device's memory (fully sharded data parallelism: Rajbhandari et
    al., "ZeRO", 2020, stage 3).
    """

    def placed(x, sharding: NamedSharding) -> jax.Array:
        x = np.asarray(x)
        return jax.make_array_from_callback(x.shape, sharding, lambda part: x[part])

    return jax.tree.map(placed, tree, parts_of(tree, mesh))


def parts_of(tree, mesh: Mesh):
    """Return how :func:`spread` lays the arrays of a tree, or arrays of such shapes."""

    def layout(x) -> NamedSharding:
        shape = np.shape(x)
        divisible = [i for i, side in enumerate(shape) if side % mesh.size == 0]
        if math.prod(shape) < SMALLEST_SPREAD or not divisible:
            return NamedSharding(mesh, PartitionSpec())
        longest = max(divisible, key=lambda i: shape[i])
        return NamedSharding(mesh, PartitionSpec(*[None] * longest, AXIS))

    return jax.tree.map(layout, tree)


def partition_step(step: Callable, state, mesh: Mesh, *, resident: bool = False) -> Callable:
    """Compile a step of all devices as one, with a state that lies as :func:`spread` lays it.

    XLA splits the step over the devices by where its arguments are, and fetches the parameters of a
    layer where it needs them.

    Args:
      step: of ``make_step(…, mapped=False)``.
      state: the shapes of its state.
      resident: as for :func:`map_step`.
    """
    everywhere, split = (
        NamedSharding(mesh, spec) for spec in (PartitionSpec(), PartitionSpec(AXIS))
    )
    layout = parts_of(state, mesh)
    return jax.jit(
        step,
        in_shardings=(layout, everywhere if resident else split, everywhere),
        out_shardings=(layout, everywhere),
        donate_argnums=0,
    )


def shard_batch(batch: dict, mesh: Mesh) -> dict:
    """Put this host's examples on its devices: its part of global arrays, split along axis 0."""
    sharding = NamedSharding(mesh, PartitionSpec(AXIS))
    return {k: jax.make_array_from_process_local_data(sharding, v) for k, v in batch.items()}


def map_step(
    step: Callable, mesh: Mesh, mapper: str = "shard_map", *, resident: bool = False
) -> Callable:
    """Map a per-device step (see ``jaxsr.training.step``) over the mesh and compile it.

    "shard_map" keeps the state as global arrays and donates its buffers. "pmap" runs the same step
    through ``jax.pmap``, on one host; it gives the same result.

    Args:
      resident: the step draws its batch from arrays that every device has; False: each device has
        its part of a batch.

    Raises:
      UserError: an unknown mapper, or "pmap" with several processes.
    """
    if mapper == "shard_map":
        everywhere, split = PartitionSpec(), PartitionSpec(AXIS)
        # check_vma off: inside, gradients are this device's own, and the step averages them itself
        mapped = jax.shard_map(
            step,
            mesh=mesh,
            in_specs=(everywhere, everywhere if resident else split, everywhere),
            out_specs=(everywhere, everywhere),
            check_vma=False,
        )
        return jax.jit(mapped, donate_argnums=0)
    if mapper == "pmap":
        return _pmap_step(step, mesh, resident)
    raise UserError(f"config.mapper is {mapper!r}; shard_map and pmap are known")


def _pmap_step(step: Callable, mesh: Mesh, resident: bool) -> Callable:
    if jax.process_count() > 1:
        raise UserError("config.mapper='pmap' runs on one host; use 'shard_map' on several")
    devices = list(mesh.devices.flat)
    mapped = jax.pmap(
        lambda _, state, data, frozen: step(state, data, frozen),
        AXIS,
        in_axes=(0, None, None if resident else 0, None),
        out_axes=(None, None),
        devices=devices,
    )
    numbers = np.arange(len(devices))  # for pmap wants an argument that differs between devices

    def part(x):
        return np.asarray(x).reshape(len(devices), -1, *x.shape[1:])

    @functools.wraps(step)
    def run(state, data, frozen):
        data = data if resident else jax.tree.map(part, data)
        state, metrics = mapped(numbers, jax.device_get(state), data, jax.device_get(frozen))
        return replicate(state, mesh), metrics

    return run
