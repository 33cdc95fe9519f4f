"""`airflow db migrate`, in a process of its own while other things start."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from strandline.cli.airflow.database import is_migrated, remember_migrated
from strandline.cli.up.paths import Paths
from strandline.cli.up.processes import marks
from strandline.cli.up.program import AIRFLOW
from strandline.model.errors import StrandlineError
from strandline.settings import Settings
from strandline.store.postgres.programs import last_lines

_NAME: Final = "airflow-migration"


@contextmanager
def migration_started(
    paths: Paths, settings: Settings, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes] | None]:
    """Start it, unless there is nothing to migrate; what still runs when the block is left is killed.

    The database takes back what was not committed.
    """
    if is_migrated(paths, settings):
        yield None
        return
    with paths.log(_NAME).open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - a list without a shell, all of it ours
            [*AIRFLOW, "db", "migrate"],
            env={**os.environ, **environment, **marks(paths.home, _NAME)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def finish_migration(
    process: subprocess.Popen[bytes], paths: Paths, settings: Settings, pause: Callable[[], None]
) -> None:
    """Return when Airflow's tables are there."""
    while process.poll() is None:
        pause()
    if process.returncode != 0:
        log = paths.log(_NAME)
        problem = f"airflow db migrate failed: {last_lines(log.read_text(errors='replace'))}"
        raise StrandlineError(problem, f"put that right and start again; see {log}")
    remember_migrated(paths, settings)
