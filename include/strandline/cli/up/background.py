"""Work that is repeated in a thread."""

import threading
from collections.abc import Callable


class BackgroundLoop:
    """Calls `work` every few seconds from `start` to `stop`, or until it raises; the error is kept in `failure`."""

    def __init__(self, name: str, work: Callable[[], None], seconds: float) -> None:
        self._work = work
        self._seconds = seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"strandline-up-{name}")
        self.failure: Exception | None = None

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Return when the work is not running and will not run again."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                self._work()
                self._stopped.wait(self._seconds)
        except Exception as error:  # noqa: BLE001 - the thread that waits for this one raises it
            self.failure = error
