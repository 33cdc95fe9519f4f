"""`airflow db migrate`, in a process of its own while other things start."""

import os
import signal
import subprocess
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from strandline.cli.up.airflow_database import is_migrated, remember_migrated
from strandline.cli.up.interruption import Interruption
from strandline.cli.up.paths import Paths
from strandline.cli.up.processes import marks
from strandline.cli.up.program import AIRFLOW
from strandline.model.errors import StrandlineError
from strandline.settings import Settings
from strandline.store.postgres.programs import last_lines

_NAME = "airflow-migration"


class AirflowMigration:
    """Started on entry unless there is nothing to migrate; nothing runs after the exit."""

    def __init__(self, paths: Paths, settings: Settings, environment: Mapping[str, str]) -> None:
        self._paths = paths
        self._settings = settings
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it."""
        if not is_migrated(self._paths, self._settings):
            with self._paths.log(_NAME).open("wb") as log:
                self._process = subprocess.Popen(  # noqa: S603 - a list without a shell, all of it ours
                    [*AIRFLOW, "db", "migrate"],
                    env={**os.environ, **self._environment, **marks(self._paths.home, _NAME)},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        return self

    @property
    def needed(self) -> bool:
        """Whether there is something to migrate, as in a new home."""
        return self._process is not None

    def wait(self, interruption: Interruption) -> None:
        """Return when Airflow's tables are there."""
        if self._process is None:
            return
        while self._process.poll() is None:
            interruption.pause()
        if self._process.returncode != 0:
            log = self._paths.log(_NAME)
            problem = f"airflow db migrate failed: {last_lines(log.read_text(errors='replace'))}"
            raise StrandlineError(problem, f"put that right and start again; see {log}")
        remember_migrated(self._paths, self._settings)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Kill it if it still runs: the database takes back what was not committed."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
