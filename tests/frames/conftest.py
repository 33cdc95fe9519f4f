"""A database with a series, and the settings that lead a notebook to it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Database, Server
from tests.frames.series import insert_series, step_series
from tests.settings.isolation import isolate


@pytest.fixture(scope="session")
def stepped(server: Server, template: str) -> Iterator[Database]:
    """The series with its signals; nothing may write into it."""
    database = server.create(template)
    with database.session() as connection:
        insert_series(connection)
    step_series(database)
    yield database
    server.drop(database)


@pytest.fixture
def series(stepped: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Database:
    """The same, found by the settings."""
    lead_to(stepped, monkeypatch, tmp_path)
    return stepped


@pytest.fixture
def empty(database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Database:
    """A fresh database, found by the settings."""
    lead_to(database, monkeypatch, tmp_path)
    return database


def lead_to(database: Database, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    isolate(monkeypatch, home)
    monkeypatch.setenv("STRANDLINE_DATABASE_URL", database.url.render_as_string(hide_password=False))
