"""Ctrl-C and SIGTERM as requests that are noticed between two steps, never as an exception in the middle of one."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Final, Self

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SECONDS_BETWEEN_CHECKS: Final = 0.1


class StopRequested(SystemExit):
    """A person asked for the end; where it is not caught, the process ends with 0."""

    def __init__(self) -> None:
        super().__init__(0)


class Interruption:
    """Counts the requests to stop. It holds no lock, because a signal may come while the lock is held."""

    def __init__(self) -> None:
        self._requests = 0
        self._handlers_before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        """Count signals from now on."""
        self._handlers_before = {number: signal.signal(number, self._count) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Restore the handlers."""
        for number, handler in self._handlers_before.items():
            signal.signal(number, handler)

    @property
    def requested(self) -> bool:
        """Whether the end was asked for."""
        return self._requests > 0

    @property
    def insistent(self) -> bool:
        """Whether it was asked for twice: nothing is waited for any more."""
        return self._requests > 1

    def check(self) -> None:
        """Raise StopRequested if the end was asked for."""
        if self.requested:
            raise StopRequested

    def pause(self, seconds: float = _SECONDS_BETWEEN_CHECKS) -> None:
        """Wait; raise StopRequested as soon as the end is asked for."""
        deadline = time.monotonic() + seconds
        while not self.requested and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(left, _SECONDS_BETWEEN_CHECKS))
        self.check()

    def _count(self, _number: int, _frame: FrameType | None) -> None:
        self._requests += 1


@contextmanager
def signals_deferred() -> Iterator[None]:
    """Block the signals in this thread and in programs that it starts; this thread receives them at the end."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
