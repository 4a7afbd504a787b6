"""Batches of the host, made ahead of time by a thread or by processes (grain)."""

from collections.abc import Callable

import grain
from absl import flags

STEPS = 2**31 - 1  # as many as an int32 counts


class BatchIterator(grain.DatasetIterator):
    """Batches number 0, 1, …

    Its state is the number of batches given out, not of those made ahead, so a run may be resumed
    with another number of workers.

    Args:
      make: number → batch.
      workers: number of processes; 0: a thread of this one.
    """

    def __init__(self, make: Callable[[int], dict], workers: int):
        super().__init__()
        self._batches = grain.MapDataset.range(STEPS).map(make)
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
