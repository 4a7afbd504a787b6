"""Signals that end a run after the step under way."""

import signal

import jax


class StopSignals:
    """Context in which SIGTERM and SIGINT are noted instead of died of; a second SIGINT kills.

    Attributes:
      seen: True once there was one.
    """

    def __enter__(self) -> "StopSignals":
        self.seen = False
        # with several processes SIGTERM is JAX's: its preemption service tells all of them
        ours = (signal.SIGINT, signal.SIGTERM) if jax.process_count() == 1 else ()
        self._before = {number: signal.signal(number, self._note) for number in ours}
        return self

    def _note(self, number, _frame) -> None:
        if self.seen and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.seen = True

    def __exit__(self, *_) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
