"""Devices to compile for, whether they are here or not: ``v5e:4x4``, ``cpu:8``, ``gpu``."""

import dataclasses
import importlib.util
import math
import os
from collections.abc import Sequence

import jax
import numpy as np
from jax.experimental import topologies
from jax.sharding import AxisType, Mesh

from jaxsr.chips.table import CHIPS, Chip, chip_of
from jaxsr.errors import UserError

# Axes of a TPU's torus. A host has at most four chips of it, laid out as here; v4 and v5p compute
# as one device a chip ("megacore").
AXES = {"v4": 3, "v5e": 2, "v5p": 3, "v6e": 2}
MEGACORE = ("v4", "v5p")
HOST = (2, 2, 1)
# The TPU's compiler asks who its machine is, and fills stderr where nobody answers; two processes
# may compile at once.
WITHOUT_TPU = {
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "TPU_ACCELERATOR_TYPE": "v5litepod-4",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
}
FORMS = "v4:2x2x1, v5e:4x4, v5p:2x2x1 or v6e:2x2 (any size of each), cpu:8 or gpu"


@dataclasses.dataclass(frozen=True)
class Topology:
    """Devices of one kind.

    Attributes:
      name: as given.
      devices: all of them, on all hosts.
      chip: what each is; None: a CPU, or one that the table of chips lacks.
    """

    name: str
    devices: Sequence[jax.Device]
    chip: Chip | None

    @property
    def hosts(self) -> int:
        """The number of machines that the devices are in."""
        return len({device.process_index for device in self.devices})

    def mesh(self, axis: str) -> Mesh:
        """Return all devices in one line, the mesh's only axis."""
        return Mesh(np.array(self.devices), (axis,), axis_types=(AxisType.Auto,))


def topology_of(name: str) -> Topology:
    """Find the devices that ``name`` says.

    A TPU need not be here: its compiler comes with the package libtpu.

    Raises:
      UserError: there is no such topology, no such device here, or no libtpu.
    """
    kind, _, size = name.partition(":")
    if kind in AXES:
        devices = _tpus(kind, size)
    elif kind == "cpu" and size.isdecimal() and int(size):
        devices = _cpus(int(size))
    elif name == "gpu":
        devices = _gpus()
    else:
        raise UserError(f"unknown topology {name!r}; give {FORMS}")
    return Topology(name, devices, CHIPS.get(kind) or chip_of(devices[0].device_kind))


def _tpus(kind: str, size: str) -> Sequence[jax.Device]:
    sides = size.split("x")
    if len(sides) != AXES[kind] or not all(side.isdecimal() and int(side) for side in sides):
        form = "x".join("ABC"[: AXES[kind]])
        raise UserError(f"unknown topology {kind}:{size}; {kind} has the form {kind}:{form}")
    if importlib.util.find_spec("libtpu") is None:
        raise UserError(
            f"compiling for {kind} takes the TPU's compiler: pip install 'jaxsr[tpu-compile]'"
        )
    for name, value in WITHOUT_TPU.items():
        os.environ.setdefault(name, value)
    lengths = [int(side) for side in sides] + [1] * (3 - len(sides))
    options: dict = {"chip_config_name": "megacore"} if kind in MEGACORE else {}
    if math.prod(lengths) < math.prod(HOST):  # part of a host
        options["chips_per_host_bounds"] = lengths
    try:
        return topologies.get_topology_desc(f"{kind}:{size}", "tpu", **options).devices
    except (jax.errors.JaxRuntimeError, NotImplementedError) as error:
        first = str(error).partition("\n")[0]
        raise UserError(f"{kind}:{size} is no topology that its compiler knows: {first}") from None


def _cpus(count: int) -> Sequence[jax.Device]:
    devices = jax.devices("cpu")
    if len(devices) < count:
        raise UserError(
            f"cpu:{count} takes {count} CPU devices, this process has {len(devices)} "
            "(set JAX_NUM_CPU_DEVICES)"
        )
    return devices[:count]


def _gpus() -> Sequence[jax.Device]:
    try:
        return jax.devices("gpu")
    except RuntimeError:
        raise UserError("there is no GPU here to compile for; give a TPU's topology") from None
