"""docs/schema.md says what is in the database."""

from pathlib import Path

import pytest
from sqlalchemy import text

from strandline.model.errors import StrandlineError
from strandline.store.migrate import latest_step, migrate_back, require_latest_step
from strandline.store.schema_docs import schema_docs
from strandline.store.writers import WRITES
from tests.conftest import Database

PAGE = Path(__file__).parents[2] / "docs" / "schema.md"


def test_the_page_is_up_to_date(database: Database) -> None:
    with database.session() as connection:
        assert PAGE.read_text() == schema_docs(connection), "run: make docs"


def test_partitions_are_not_in_it(database: Database) -> None:
    with database.session() as connection:
        connection.execute(text("SELECT ensure_tick_partitions('2026-01-01', '2026-01-02')"))
        assert PAGE.read_text() == schema_docs(connection)


def test_every_table_is_in_it_with_its_writers() -> None:
    page = PAGE.read_text()
    for table, writers in WRITES.items():
        section = page.partition(f"### {table}\n")[2].partition("###")[0]
        assert all(f"{writer} ({', '.join(sorted(verbs))})" in section for writer, verbs in writers.items()), table


def test_a_new_comment_changes_it(database: Database) -> None:
    with database.session() as connection:
        connection.execute(text("COMMENT ON COLUMN fills.fee IS 'new | words'"))
        assert r"| `fee` | numeric | new \| words |" in schema_docs(connection)


def test_a_database_at_another_step_is_refused(database: Database) -> None:
    with database.session() as connection:
        require_latest_step(connection)
    migrate_back(database.admin, "0003_signals")
    message = f"at migration 0003_signals, and this version needs {latest_step()}; run: strandline db migrate"
    with pytest.raises(StrandlineError, match=message), database.session() as connection:
        require_latest_step(connection)
