"""The embedded Postgres of `strandline up`: started again when it dies."""

import time
from collections.abc import Callable
from typing import Final

from strandline.cli.up.background import BackgroundLoop
from strandline.cli.up.interruption import signals_deferred
from strandline.model.errors import StrandlineError
from strandline.store.postgres.server import EmbeddedPostgres

NAME: Final = "postgres"
_SECONDS_BETWEEN_POLLS: Final = 0.3


class SupervisedPostgres:
    """A server that does not end with the process that starts it, and is therefore no child of `up`."""

    def __init__(self, server: EmbeddedPostgres, report: Callable[[str], None]) -> None:
        self.server = server
        self.restarts = 0
        self.pid: int | None = None
        self._started_at = 0.0
        self._report = report
        self._loop = BackgroundLoop(NAME, self._poll, _SECONDS_BETWEEN_POLLS)

    @property
    def uptime(self) -> float:
        """For how many seconds it has run."""
        return time.monotonic() - self._started_at

    @property
    def failure(self) -> Exception | None:
        """The error that ended the supervision, if one did."""
        return self._loop.failure

    def start(self) -> None:
        """Start it, and supervise it from now on."""
        self._start_server()
        self._loop.start()

    def stop(self) -> None:
        """Stop it."""
        self._loop.stop()
        with signals_deferred():
            self.server.stop()

    def _start_server(self) -> None:
        with signals_deferred():
            self.server.start()
        self.pid, self._started_at = self.server.pid, time.monotonic()

    def _poll(self) -> None:
        if self.server.pid is not None:
            return
        self.pid = None
        try:
            self._start_server()
        except StrandlineError as error:
            self._report(f"postgres died and does not start: {error}")
            return
        self.restarts += 1
        self._report(f"postgres died; restarted, pid {self.pid}; see {self.server.log}")
