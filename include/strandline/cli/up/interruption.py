"""Ctrl-C and SIGTERM as a wish that is heard between two steps, never as an exception in the middle of one."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Final, Self

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_BETWEEN_LOOKS: Final = 0.1


class StopRequested(SystemExit):
    """Somebody asked for the end; who does not catch it ends with 0."""

    def __init__(self) -> None:
        super().__init__(0)


class Interruption:
    """Counts the wishes. It holds no lock, because a signal may come while the lock is held."""

    def __init__(self) -> None:
        self._wishes = 0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        """From now on signals are counted."""
        self._before = {number: signal.signal(number, self._heard) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """As it was."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @property
    def requested(self) -> bool:
        """Somebody wants the end."""
        return self._wishes > 0

    @property
    def insistent(self) -> bool:
        """Somebody said so twice: no patience any more."""
        return self._wishes > 1

    def check(self) -> None:
        """Raise StopRequested if somebody wants the end."""
        if self.requested:
            raise StopRequested

    def pause(self, seconds: float = _BETWEEN_LOOKS) -> None:
        """Wait; raise StopRequested as soon as somebody wants the end."""
        deadline = time.monotonic() + seconds
        while not self.requested and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(left, _BETWEEN_LOOKS))
        self.check()

    def _heard(self, _number: int, _frame: FrameType | None) -> None:
        self._wishes += 1


@contextmanager
def unheard_by_children() -> Iterator[None]:
    """Programs that are started meanwhile do not hear the terminal's Ctrl-C; this process hears it at the end."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
