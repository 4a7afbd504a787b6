"""What a step learns from: a batch that this host made, or images that lie on the devices."""

from typing import Any

import grain
import jax
import ml_collections
from jax.sharding import Mesh

from jaxsr.data.dataset import Dataset
from jaxsr.errors import UserError
from jaxsr.tiling.runner import free_memory
from jaxsr.training import parallel
from jaxsr.training.start import say

PLACEMENTS = ("auto", "device", "host")
STEPS_PER_CALL = 20  # on GPUs and TPUs: enough to hide what starting a program costs


class HostFeed:
    """Batches made on this host, one a step.

    Attributes:
      position: an iterator of grain, for checkpoints.
    """

    def __init__(self, dataset: Dataset, mesh: Mesh):
        self.position = iter(dataset)
        self._mesh = mesh

    def take(self, steps: int) -> dict[str, Any]:
        """Return the next step's batch, on the devices; ``steps`` is 1."""
        batch = next(self.position)
        del batch["index"]
        return parallel.shard_batch(batch, self._mesh)


class DeviceFeed:
    """Packed images on every device, from which each step draws its own batch.

    Attributes:
      position: counts steps; its state is that of :class:`HostFeed`'s, so that a run may go on with
        the other.
    """

    def __init__(self, dataset: Dataset, mesh: Mesh):
        self.position = Position()
        say(f"images on every device: {_gigabytes(dataset.packed_bytes())}")
        self._arrays = parallel.replicate(dataset.pack(), mesh)

    def take(self, steps: int) -> dict[str, Any]:
        """Return the images, and count ``steps``."""
        self.position.count += steps
        return self._arrays


class Position(grain.DatasetIterator):
    """A number of batches, which checkpoints save as they do an iterator's state."""

    count = 0

    def __next__(self) -> int:
        self.count += 1
        return self.count - 1

    def get_state(self) -> dict:
        return {"batches": self.count}

    def set_state(self, state: dict) -> None:
        self.count = state["batches"]


def belongs_on_devices(dataset: Dataset, config: ml_collections.ConfigDict, mesh: Mesh) -> bool:
    """Decide where the images go: on the devices where :func:`may_be_on_devices`, and they fit.

    Raises:
      UserError: the placement is unknown, or "device" and impossible.
    """
    if not may_be_on_devices(config, mesh):
        return False
    reason = _too_large(dataset, config.data.memory_share, mesh)
    if reason and config.data.placement == "device":
        raise UserError(f"config.data.placement is 'device', but {reason}; use auto or host")
    return not reason


def may_be_on_devices(config: ml_collections.ConfigDict, mesh: Mesh) -> bool:
    """Return True if ``config.data.placement`` puts images on the devices, should they fit.

    On CPUs "auto" leaves them with the host: there the same cores make batches and take steps, and
    every device would have a copy in the one memory.

    Raises:
      UserError: the placement is unknown.
    """
    placement = config.data.placement
    if placement not in PLACEMENTS:
        raise UserError(
            f"config.data.placement is {placement!r}; use one of {', '.join(PLACEMENTS)}"
        )
    on_cpu = mesh.devices.flat[0].platform == "cpu"
    return placement == "device" or (placement == "auto" and not on_cpu)


def _too_large(dataset: Dataset, share: float, mesh: Mesh) -> str:
    """Say why the images don't fit; "" if they do."""
    local = [device for device in mesh.devices.flat if device.process_index == jax.process_index()]
    free = min(free_memory(device) for device in local)
    if local[0].platform == "cpu":  # one memory for all of them
        free //= len(local)
    need = dataset.packed_bytes()
    if need <= share * free:
        return ""
    return (
        f"the images take {_gigabytes(need)} packed, more than config.data.memory_share, {share}, "
        f"of the {_gigabytes(free)} that are free on {local[0]}"
    )


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.3g} GB"


def steps_per_call(config: ml_collections.ConfigDict, resident: bool) -> int:
    """Return how many steps a program takes: ``config.steps_per_call``, or what is best.

    On CPUs that is one: XLA runs convolutions within a loop far slower.

    Raises:
      UserError: several are asked for, but the images are not on the devices.
    """
    count = config.steps_per_call
    if count > 1 and not resident:
        raise UserError(
            f"config.steps_per_call is {count}, which needs the images on the devices, and they "
            "are with the host; give config.data.placement=device, or steps_per_call=0"
        )
    if count == 0:
        count = STEPS_PER_CALL if resident and jax.default_backend() != "cpu" else 1
    return min(count, config.log_every, config.checkpoint_every, config.eval_every)


def next_call(number: int, largest: int, ends: list[int]) -> int:
    """Return how many steps to take at once after step ``number``: ``largest`` or one.

    Args:
      ends: steps after which something is to be done; none is passed over.
    """
    return largest if all(end <= number or end - number >= largest for end in ends) else 1
