"""Every statement that writes stands in the room of a writer who may make it."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from strandline.store.writers import HOME_OF, WRITES
from tests.architecture.statements import Write, writes_in

LIBRARY = Path(__file__).parents[2] / "include" / "strandline"


def faults(writes: Iterable[Write]) -> list[str]:
    """The statements that the table of writers does not give to the room that they stand in."""
    return [str(write) for write in writes if not allowed(write)]


def allowed(write: Write) -> bool:
    """Whether some writer at home in the room may make this statement."""
    return any(
        write.room in HOME_OF[writer] and write.verb in verbs for writer, verbs in WRITES.get(write.table, {}).items()
    )


def test_the_library_writes_only_where_it_may() -> None:
    assert faults(writes_in(LIBRARY)) == []


BY_TRIGGERS = {("commit_counter", "UPDATE"), ("bar_revisions", "INSERT"), ("strand_heads", "UPDATE")}
"""What functions and triggers of the database do for the statement of a writer."""


def test_every_writer_of_the_table_has_statements() -> None:
    written = {(write.table, write.room, write.verb) for write in writes_in(LIBRARY)}
    idle = [
        f"{writer}: {verb} {table}"
        for table, writers in WRITES.items()
        for writer, verbs in writers.items()
        for verb in sorted(verbs)
        if (table, verb) not in BY_TRIGGERS and not any((table, room, verb) in written for room in HOME_OF[writer])
    ]
    assert idle == []


@pytest.mark.parametrize(
    ("room", "code"),
    [
        ("bars", 'text("INSERT INTO ticks VALUES (1)")'),
        ("ledger", 'text("INSERT INTO strands VALUES (1) ON CONFLICT (seq) DO UPDATE SET body = excluded.body")'),
        ("bars", 'text("DELETE FROM bars")'),
        ("feeds", 'cursor.copy_expert("COPY bars FROM STDIN")'),
        ("bars", 'connection.copy_records_to_table("ticks", records=rows)'),
        ("feeds", "connection.copy_records_to_table(table, records=rows)"),
        ("quality", 'text("UPDATE positions SET weight = 1")'),
        ("execution", 'text("INSERT  INTO\\n  intents SELECT 1")'),
        ("ledger", 'text("UPDATE intents SET status = 1")'),
        ("ledger", 'text("DELETE FROM public.fills")'),
        ("cycle", 'text("TRUNCATE TABLE marks")'),
        ("cycle", 'text("MERGE INTO orders USING x")'),
        ("ledger", 'text(f"INSERT INTO {table} VALUES (1)")'),
        ("ledger", 'text("INSERT INTO unheard_of VALUES (1)")'),
        ("store", 'text("WITH gone AS (DELETE FROM dirty_minutes RETURNING *) SELECT * FROM gone")'),
    ],
)
def test_a_planted_statement_is_found(tmp_path: Path, room: str, code: str) -> None:
    (tmp_path / room).mkdir()
    (tmp_path / room / "planted.py").write_text(f'"""Docs may say INSERT INTO anything."""\n\nx = {code}\n')
    assert len(faults(writes_in(tmp_path))) == 1


@pytest.mark.parametrize(
    ("room", "code"),
    [
        ("bars", 'text("WITH gone AS (DELETE FROM dirty_minutes RETURNING *) INSERT INTO bars SELECT * FROM gone")'),
        ("feeds", 'cursor.copy_expert("COPY ticks FROM STDIN (FORMAT binary)")'),
        ("feeds", 'text("INSERT INTO staged_ticks SELECT 1")'),
        ("execution", 'text("UPDATE intents SET status = 1")'),
        ("execution", 'text("SELECT * FROM intents FOR UPDATE SKIP LOCKED")'),
        ("feeds", 'text("INSERT INTO heartbeats VALUES (1) ON CONFLICT (shard) DO UPDATE SET beat_at = now()")'),
        ("history", 'print("UPDATE your settings")'),
        ("feeds", 'connection.copy_records_to_table("ticks", records=rows)'),
        ("feeds", 'connection.copy_records_to_table("staged_ticks", records=rows)'),
    ],
)
def test_a_permitted_statement_is_not_found(tmp_path: Path, room: str, code: str) -> None:
    (tmp_path / room).mkdir()
    (tmp_path / room / "fine.py").write_text(f"x = {code}\n")
    assert faults(writes_in(tmp_path)) == []
