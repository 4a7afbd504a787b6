"""Endless batches of examples, made ahead of time; the seed alone decides which (grain)."""

import functools
from collections.abc import Callable

import grain
import numpy as np
from absl import flags
from jaxtyping import Int

from jaxsr.data.sources import Source


def endless(
    positions: Int[np.ndarray, "n"], make: Callable, seed: int, shard: slice, batch_size: int
) -> grain.MapDataset:
    """Make batches of what ``make`` draws of the positions, in an order that is new each time.

    Args:
      positions: of images; an epoch has each as often as it is here.
      make: (position, generator) → example, a dict of arrays.
      shard: which examples of the global order are this host's.
      batch_size: examples in a batch of this host.
    """
    return (
        grain.MapDataset.source(positions)
        .seed(seed)
        .shuffle()
        .repeat()
        .random_map(make)
        .map_with_index(functools.partial(_placed, count=batch_size * shard.step))
        .slice(shard)
        .batch(batch_size, drop_remainder=True)  # endless: there is none; grain counts exactly
    )


def _placed(index: int, example: dict, count: int) -> dict:
    """Add to an example that has a seed its place in the batch of all hosts' ``count``."""
    return example | {"place": np.int32(index % count)} if "seed" in example else example


class Batches(grain.IterDataset):
    """Batches made ahead of time by a thread or by processes.

    The state of its iterators is the number of batches given out, so a run may be resumed with
    another number of workers.

    Args:
      batches: as :func:`endless` makes them.
      source: the images they show.
      workers: number of processes; 0: a thread of this one.

    Attributes:
      source: see above.
      names: what to call the images, by the "index" in a batch.
    """

    def __init__(self, batches: grain.MapDataset, source: Source, workers: int):
        super().__init__(batches)
        self.source = source
        self._workers = workers

    @property
    def names(self) -> tuple[str, ...]:
        return self.source.names

    def __iter__(self) -> grain.DatasetIterator:
        return _BatchIterator(self._parent, self._workers)


class _BatchIterator(grain.DatasetIterator):
    def __init__(self, batches: grain.MapDataset, workers: int):
        super().__init__()
        self._batches = batches
        self._workers = workers
        self._given = 0
        self._rest = None

    def __next__(self) -> dict:
        self.start_prefetch()
        assert self._rest is not None  # prefetching has begun
        batch = next(self._rest)
        self._given += 1
        return batch

    def start_prefetch(self) -> None:
        if self._rest is None:
            rest = self._batches.slice(slice(self._given, None))
            rest = rest.to_iter_dataset(grain.ReadOptions(num_threads=1, prefetch_buffer_size=4))
            if self._workers:
                _mark_flags_as_parsed()
                options = grain.MultiprocessingOptions(self._workers, per_worker_buffer_size=4)
                rest = rest.mp_prefetch(options)
            self._rest = iter(rest)

    def get_state(self) -> dict:
        return {"batches": self._given}

    def set_state(self, state: dict) -> None:
        self._stop()
        self._given = state["batches"]

    def close(self) -> None:
        self._stop()
        super().close()

    def _stop(self) -> None:
        if self._rest is not None:
            self._rest.close()
            self._rest = None


def _mark_flags_as_parsed() -> None:
    """Let grain's worker processes read its absl flags, which only ``absl.app.run`` parses."""
    if not flags.FLAGS.is_parsed():
        flags.FLAGS.mark_as_parsed()
