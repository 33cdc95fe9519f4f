"""Runs actions concurrently, and counts sessions that wait for each other."""

import threading
from collections.abc import Callable

from sqlalchemy import text

from tests.conftest import Database


def at_once(action: Callable[[], object], times: int) -> list[BaseException]:
    """Run the action in so many threads at once; returns the exceptions."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            action()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return errors


def waiting_sessions(database: Database) -> int:
    """The number of sessions that wait for a lock."""
    with database.session() as connection:
        return int(connection.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar_one())
