"""Strands are added once, in order, and a cycle's end can be told."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from strandline.ledger.strands import ChainEnd, append, of_cycle
from strandline.model.canonical import from_json
from strandline.model.ids import derived_id
from strandline.model.strand import GENESIS, Strand, StrandDraft, StrandKind
from strandline.store.roles import Role
from tests.conftest import Database, Server
from tests.store.concurrency import at_once

CHAIN = "hyperliquid/perps"
CYCLE = datetime(2026, 3, 2, 10, tzinfo=UTC)


def draft(number: int, cycle: datetime = CYCLE) -> StrandDraft:
    """A strand to be."""
    return StrandDraft(
        strand_id=derived_id("test", number),
        kind=StrandKind.HOLD,
        ts=CYCLE,
        cycle=cycle,
        code_version="0.1.0",
        strategy_hash="a" * 64,
    )


def stored(database: Database) -> list[Strand]:
    """The chain."""
    with database.session(Role.UI) as connection:
        bodies = connection.scalars(text("SELECT body FROM strands ORDER BY chain, seq")).all()
    return [from_json(body, Strand) for body in bodies]


@given(st.lists(st.lists(st.integers(0, 9), max_size=4), max_size=4))
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_strand_is_added_once_however_often_it_is_told(
    server: Server, template: str, batches: list[list[int]]
) -> None:
    database = server.create(template)
    try:
        for batch in batches:
            with database.session(Role.APP) as connection:
                once = list(dict.fromkeys(batch))
                added = append(connection, CHAIN, [draft(number) for number in once])
            assert set(added) <= set(stored(database))
        chain = stored(database)
        previous = GENESIS
        for seq, strand in enumerate(chain, start=1):
            assert (strand.seq, strand.previous) == (seq, previous)
            previous = strand.hash
        told = list(dict.fromkeys(number for batch in batches for number in batch))
        assert [strand.strand_id for strand in chain] == [draft(number).strand_id for number in told]
    finally:
        server.drop(database)


def test_many_writers_tell_the_same_once(database: Database) -> None:
    def write() -> None:
        with database.session(Role.APP) as connection:
            append(connection, CHAIN, [draft(number) for number in range(5)])

    assert at_once(write, 4) == []
    assert [strand.seq for strand in stored(database)] == [1, 2, 3, 4, 5]


def test_the_end_of_a_cycle_is_told_by_chain(database: Database) -> None:
    with database.session(Role.APP) as connection:
        assert of_cycle(connection, CYCLE, CHAIN) == ChainEnd(0, None, None)
        first, _, third = append(connection, CHAIN, [draft(1), draft(2, CYCLE + timedelta(minutes=5)), draft(3)])
        append(connection, "solana/onchain_crypto", [draft(4)])
        assert first.seq == 1
        assert of_cycle(connection, CYCLE, CHAIN) == ChainEnd(2, 3, third.hash)


def test_a_writer_waits_for_the_head_before_it_takes_its_place(database: Database) -> None:
    """It reads the head that the writer before it has left."""
    with database.session(Role.APP) as connection:
        append(connection, CHAIN, [draft(0)])
    with database.session(Role.APP) as first, ThreadPoolExecutor() as threads:
        first.execute(text("SELECT FROM strand_heads FOR UPDATE"))
        second = threads.submit(_append_alone, database, draft(2))
        _until_someone_waits(database)
        append(first, CHAIN, [draft(1)])
        first.commit()
        assert [strand.seq for strand in second.result(30)] == [3]


def _append_alone(database: Database, one: StrandDraft) -> tuple[Strand, ...]:
    with database.session(Role.APP) as connection:
        return append(connection, CHAIN, [one])


def _until_someone_waits(database: Database) -> None:
    with database.session() as connection:
        while not connection.scalar(text("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")):
            pass


def test_nothing_to_tell_takes_no_lock(database: Database) -> None:
    with database.session(Role.APP) as connection:
        assert append(connection, CHAIN, []) == ()
        assert connection.scalar(text("SELECT count(*) FROM strand_heads")) == 0
