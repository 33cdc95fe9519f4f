"""The embedded Postgres: no child of `up`, because it does not end with the process that starts it."""

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Final

from strandline.cli.up.interruption import signals_deferred
from strandline.store.postgres.server import EmbeddedPostgres

POSTGRES: Final = "postgres"
UNKNOWN_EXIT: Final = 256
"""More than any exit status: only its parent learns how a process ended."""


class PostgresProcess:
    """The running server, with what is asked of a child process."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self._server = server
        with signals_deferred():
            server.start()
        self.pid = server.pid or 0

    def poll(self) -> int | None:
        """Whether it has ended."""
        return None if self._server.pid == self.pid else UNKNOWN_EXIT

    def terminate(self) -> None:
        """Stop it."""
        with signals_deferred():
            self._server.stop()

    def kill(self) -> None:
        """Kill it; the next one recovers what was committed."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


class Postgres:
    """The program whose process it is."""

    name = POSTGRES
    checked_through = ()

    def __init__(self, directory: Path) -> None:
        self._server = EmbeddedPostgres(directory)

    def is_healthy(self, _uptime: float) -> bool:
        """Whether it accepts connections."""
        return self._server.running

    def launch(self, _home: Path, _log: Path) -> PostgresProcess:
        """Start it; it writes its own log."""
        return PostgresProcess(self._server)
