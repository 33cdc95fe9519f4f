"""An archive in a new folder, and what fills and empties it."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from strandline.retention.archiving import ArchivedDay, archive_ticks
from strandline.retention.restoring import RestoredFile, restore_ticks
from strandline.retention.tick_archive import TickArchive
from strandline.store.roles import Role
from tests.conftest import Database
from tests.retention.ticks import DAY

Archive = Callable[..., list[ArchivedDay]]
Restore = Callable[..., list[RestoredFile]]


@pytest.fixture
def folder(tmp_path: Path) -> TickArchive:
    """An empty archive."""
    return TickArchive(tmp_path / "archive")


@pytest.fixture
def archive(database: Database, folder: TickArchive) -> Archive:
    """Archives all days until this one, as maintenance does."""

    def run(until: date = DAY, into: TickArchive = folder) -> list[ArchivedDay]:
        engine = database.engine(Role.APP)
        try:
            return archive_ticks(engine, into, until + timedelta(days=1), lambda _: None)
        finally:
            engine.dispose()

    return run


@pytest.fixture
def restore(database: Database, folder: TickArchive) -> Restore:
    """Restores these days, as the command does."""

    def run(first: date = DAY, last: date = DAY, *, rebuild_bars: bool = False) -> list[RestoredFile]:
        engine = database.engine(Role.INGEST)
        try:
            return restore_ticks(engine, folder, first, last, rebuild_bars=rebuild_bars, report=lambda _: None)
        finally:
            engine.dispose()

    return run
