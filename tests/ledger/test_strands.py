"""Strands are appended once and in order, and the end of a cycle can be read."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count
from time import sleep

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from strandline.ledger.strands import ChainEnd, append, of_cycle
from strandline.model.canonical import from_json
from strandline.model.ids import derived_id
from strandline.model.strand import GENESIS, Strand, StrandDraft, StrandKind
from strandline.store.roles import Role
from tests.conftest import Database
from tests.store.concurrency import at_once

CHAIN = "hyperliquid/perps"
CYCLE = datetime(2026, 3, 2, 10, tzinfo=UTC)


def draft(number: int, cycle: datetime = CYCLE) -> StrandDraft:
    """A draft with an id of its own."""
    return StrandDraft(
        strand_id=derived_id("test", number),
        kind=StrandKind.HOLD,
        ts=CYCLE,
        cycle=cycle,
        code_version="0.1.0",
        strategy_hash="a" * 64,
    )


@pytest.fixture
def engine(database: Database) -> Iterator[Engine]:
    """The connections of the role that appends strands."""
    opened = database.engine(Role.APP)
    yield opened
    opened.dispose()


def stored(engine: Engine, chain: str = CHAIN) -> list[Strand]:
    """Read the chain."""
    with engine.begin() as connection:
        bodies = connection.scalars(text("SELECT body FROM strands WHERE chain = :c ORDER BY seq"), {"c": chain}).all()
    return [from_json(body, Strand) for body in bodies]


def append_one(engine: Engine, one: StrandDraft) -> tuple[Strand, ...]:
    """Append one strand in its own transaction."""
    with engine.begin() as connection:
        return append(connection, CHAIN, [one])


chain_numbers = count(1)


@given(st.lists(st.lists(st.integers(0, 9), max_size=4), max_size=4))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_strand_is_appended_once_in_the_order_of_its_first_append(engine: Engine, batches: list[list[int]]) -> None:
    """Each example has a chain of its own, and strands of its own."""
    number = next(chain_numbers)
    chain = f"test/{number}"
    for batch in batches:
        with engine.begin() as connection:
            once = list(dict.fromkeys(batch))
            added = append(connection, chain, [draft(100 * number + one) for one in once])
        assert set(added) <= set(stored(engine, chain))
    found = stored(engine, chain)
    previous = GENESIS
    for seq, strand in enumerate(found, start=1):
        assert (strand.seq, strand.previous) == (seq, previous)
        previous = strand.hash
    expected = list(dict.fromkeys(one for batch in batches for one in batch))
    assert [strand.strand_id for strand in found] == [draft(100 * number + one).strand_id for one in expected]


def test_several_writers_append_the_same_strands_once(engine: Engine) -> None:
    def write() -> None:
        with engine.begin() as connection:
            append(connection, CHAIN, [draft(number) for number in range(5)])

    assert at_once(write, 4) == []
    assert [strand.seq for strand in stored(engine)] == [1, 2, 3, 4, 5]


def test_a_cycle_ends_at_its_last_strand_of_the_chain(engine: Engine) -> None:
    with engine.begin() as connection:
        assert of_cycle(connection, CYCLE, CHAIN) == ChainEnd(0, None, None)
        first, _, third = append(connection, CHAIN, [draft(1), draft(2, CYCLE + timedelta(minutes=5)), draft(3)])
        append(connection, "solana/onchain_crypto", [draft(4)])
        assert first.seq == 1
        assert of_cycle(connection, CYCLE, CHAIN) == ChainEnd(2, 3, third.hash)


def test_a_writer_waits_for_the_head_before_it_takes_its_place(database: Database, engine: Engine) -> None:
    append_one(engine, draft(0))
    with engine.connect() as first, ThreadPoolExecutor() as threads:
        first.execute(text("SELECT FROM strand_heads FOR UPDATE"))
        second = threads.submit(append_one, engine, draft(2))
        wait_for_a_blocked_lock(database)
        append(first, CHAIN, [draft(1)])
        first.commit()
        assert [strand.seq for strand in second.result(30)] == [3]


def wait_for_a_blocked_lock(database: Database) -> None:
    """Return once some session of this database waits for a lock."""
    blocked = (
        "SELECT EXISTS (SELECT FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE NOT granted AND datname = :d)"
    )
    with database.session() as connection:
        while not connection.scalar(text(blocked), {"d": database.url.database}):
            sleep(0.01)


def test_an_append_of_nothing_takes_no_lock(engine: Engine) -> None:
    with engine.begin() as connection:
        assert append(connection, CHAIN, []) == ()
        assert connection.scalar(text("SELECT count(*) FROM strand_heads")) == 0
