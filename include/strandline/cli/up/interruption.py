"""Ctrl-C and SIGTERM as requests that are noticed between two steps, never as an exception in the middle of one."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Final, Self

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequested(SystemExit):
    """A person asked for the end; where it is not caught, the process ends with 0."""

    def __init__(self) -> None:
        super().__init__(0)


class Interruption:
    """Counts, from entry to exit, how often the end was asked for."""

    def __init__(self) -> None:
        self.requests = 0
        self._handlers_before: dict[signal.Signals, Any] = {}

    def check(self) -> None:
        """Raise StopRequested if the end was asked for."""
        if self.requests:
            raise StopRequested

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

    def _count(self, _number: int, _frame: FrameType | None) -> None:
        self.requests += 1


@contextmanager
def signals_deferred() -> Iterator[None]:
    """Block the signals in this thread and in programs that it starts; this thread receives them at the end."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
