"""`strandline up` in a process of its own, as a person at a terminal has it."""

import os
import queue
import re
import signal
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from strandline.cli.up.paths import Paths
from strandline.cli.up.processes import find_processes
from strandline.store.postgres.server import EmbeddedPostgres
from tests.cli.conftest import COMMAND

HEALTHY = "everything is healthy"
TIMEOUT = 300.0
"""Longer than `up` itself waits, so that what it says about its failure is seen."""


class Up:
    """One run of it, whose printed lines can be waited for."""

    def __init__(self, home: Path, **environment: str) -> None:
        self.paths = Paths(home)
        self.printed: list[str] = []
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._process = subprocess.Popen(
            [*COMMAND, "up"],
            env={
                **os.environ,
                "STRANDLINE_HOME": str(home),
                "STRANDLINE_ENV_FILE": os.devnull,
                "PYTHONUNBUFFERED": "1",
                **environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The process of the command itself."""
        return self._process.pid

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Read on until a line matches."""
        deadline = time.monotonic() + TIMEOUT
        with suppress(queue.Empty):
            while (line := self._lines.get(timeout=max(0.0, deadline - time.monotonic()))) is not None:
                if found := re.search(pattern, line):
                    return found
        raise AssertionError(f"{pattern!r} was not printed:\n" + "".join(self.printed))

    def press_ctrl_c(self) -> None:
        """Signal the whole process group, as a terminal does."""
        os.killpg(self._process.pid, signal.SIGINT)

    def send(self, number: signal.Signals) -> None:
        """Signal the command alone."""
        self._process.send_signal(number)

    def wait_for_end(self) -> int:
        """Wait for its end; return the exit code."""
        code = self._process.wait(TIMEOUT)
        self._reader.join()
        return code

    def remaining(self) -> list[str]:
        """Return what still runs of it."""
        server = EmbeddedPostgres(self.paths.postgres)
        programs = [" ".join(process.cmdline()) for process in find_processes(self.paths.home)]
        return programs + ([f"postgres {server.pid}"] if server.pid is not None else [])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave nothing, whatever the test found."""
        if self._process.poll() is None:
            self._process.kill()
        self.wait_for_end()
        for process in find_processes(self.paths.home):
            process.kill()
        EmbeddedPostgres(self.paths.postgres).stop()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.printed.append(line)
            self._lines.put(line)
        self._lines.put(None)
