"""The embedded Postgres of `strandline up`: started again when it dies."""

import time
from collections.abc import Callable
from typing import Final

from strandline.cli.up.interruption import signals_deferred
from strandline.model.errors import StrandlineError
from strandline.store.postgres.server import EmbeddedPostgres

POSTGRES: Final = "postgres"


class SupervisedPostgres:
    """A server that does not end with the process that starts it, and is therefore no child of `up`."""

    def __init__(self, server: EmbeddedPostgres, report: Callable[[str], None]) -> None:
        self.name = POSTGRES
        self.restarts = 0
        self.pid: int | None = None
        self._server = server
        self._started_at = 0.0
        self._report = report

    @property
    def uptime(self) -> float:
        """For how many seconds it has run."""
        return time.monotonic() - self._started_at

    def is_healthy(self, _pid: int, _uptime: float) -> bool:
        """Whether it accepts connections."""
        return self._server.running

    def start(self) -> None:
        """Start it."""
        with signals_deferred():
            self._server.start()
        self.pid, self._started_at = self._server.pid, time.monotonic()

    def poll(self) -> None:
        """Notice its death, and start it again."""
        if self._server.pid is not None:
            return
        self.pid = None
        try:
            self.start()
        except StrandlineError as error:
            self._report(f"postgres died and does not start: {error}")
            return
        self.restarts += 1
        self._report(f"postgres died; restarted, pid {self.pid}; see {self._server.log}")

    def stop(self) -> None:
        """Stop it."""
        with signals_deferred():
            self._server.stop()
