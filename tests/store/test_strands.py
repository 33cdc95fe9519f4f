"""The chain only grows at its end, by strands with valid hashes, and its strands cannot be changed."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from strandline.model.canonical import canonical_bytes, from_json
from strandline.model.strand import GENESIS, Strand, StrandKind
from strandline.store.roles import Role
from tests.conftest import Database, Server
from tests.model import generated
from tests.store.concurrency import at_once

CHAIN = "hyperliquid/perps"
ADD = text("INSERT INTO strands (body) VALUES (:body) RETURNING chain, seq, hash")
HEAD = text("SELECT seq, hash FROM strand_heads WHERE chain = :chain FOR UPDATE")


def open_chain(connection: Connection, chain: str = CHAIN) -> None:
    """An empty chain."""
    connection.execute(text("INSERT INTO strand_heads VALUES (:chain, 0, :hash)"), {"chain": chain, "hash": GENESIS})


def add(connection: Connection, strand: Strand) -> Any:
    """Insert it as the ledger does: the body alone."""
    return connection.execute(ADD, {"body": canonical_bytes(strand).decode()}).one()


def small(seq: int, previous: str, chain: str = CHAIN) -> Strand:
    """A strand with nothing special in it."""
    return Strand(
        strand_id=uuid5(UUID(int=0), f"{chain}{seq}"),
        chain=chain,
        seq=seq,
        previous=previous,
        kind=StrandKind.CONTROL,
        ts=datetime(2026, 1, 1, tzinfo=UTC),
        code_version="0.1.0",
        strategy_hash="a" * 64,
    )


@given(data=st.data(), length=st.integers(1, 4))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_strands_make_a_chain_whose_hashes_are_the_types_own(
    server: Server, template: str, data: st.DataObject, length: int
) -> None:
    database = server.create(template)
    try:
        written = []
        previous = GENESIS
        with database.session(Role.APP) as connection:
            open_chain(connection)
            for seq in range(1, length + 1):
                strand = data.draw(generated.strands(seq=seq, previous=previous))
                strand = msgspec.structs.replace(strand, strand_id=uuid5(UUID(int=0), str(seq)), parent=None)
                assert tuple(add(connection, strand)) == (CHAIN, seq, strand.hash)
                previous = strand.hash
                written.append(strand)
        with database.session(Role.UI) as connection:
            rows = connection.execute(text("SELECT * FROM strands ORDER BY seq")).all()
            assert connection.execute(text("SELECT seq, hash FROM strand_heads")).one() == (length, previous)
            records = connection.execute(text("SELECT * FROM strand_records ORDER BY seq")).all()
        for row, record, strand in zip(rows, records, written, strict=True):
            assert from_json(row.body, Strand) == strand
            assert (row.strand_id, row.kind, row.ts, row.cycle_t) == (
                strand.strand_id,
                strand.kind,
                strand.ts,
                strand.cycle,
            )
            assert row.intent_id == (strand.intent.intent_id if strand.intent else None)
            assert (record.token, record.symbol, record.a_value) == (
                strand.token_contract,
                strand.symbol,
                strand.appetite,
            )
    finally:
        server.drop(database)


@pytest.fixture
def chain(database: Database) -> Database:
    """Three strands."""
    with database.session(Role.APP) as connection:
        open_chain(connection)
        previous = GENESIS
        for seq in (1, 2, 3):
            previous = add(connection, small(seq, previous)).hash
    return database


@pytest.mark.parametrize("replica", [False, True])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE strands SET body = body",
        "UPDATE strands SET cycle_t = now() WHERE seq = 2",
        "UPDATE strands SET body = body WHERE false",
        "DELETE FROM strands WHERE seq = 3",
        "DELETE FROM strands",
        "TRUNCATE strands",
        "TRUNCATE strands CASCADE",
        "TRUNCATE strand_heads CASCADE",
        "DELETE FROM strand_heads",
        "UPDATE strand_heads SET seq = 2",
        "UPDATE strand_heads SET seq = 4",
        "UPDATE strand_heads SET hash = repeat('1', 64)",
        "INSERT INTO strand_heads VALUES ('other', 7, repeat('1', 64))",
    ],
)
def test_a_superuser_is_refused(chain: Database, statement: str, replica: bool) -> None:
    with chain.session() as connection:
        assert connection.scalar(text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"))
    with (
        pytest.raises(IntegrityError, match=r"is refused|moves only by adding|starts empty"),
        chain.session() as connection,
    ):
        if replica:
            connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text(statement))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"seq": 5}, "does not continue its chain"),
        ({"seq": 3}, "does not continue its chain"),
        ({"previous": "1" * 64}, "does not continue its chain"),
        ({"chain": "solana/onchain_crypto"}, "there is no chain"),
        ({"strand_id": uuid5(UUID(int=0), f"{CHAIN}2")}, "duplicate key"),
        ({"parent": UUID(int=5)}, "foreign key"),
    ],
)
def test_a_strand_that_does_not_continue_its_chain_is_refused(
    chain: Database, change: dict[str, Any], match: str
) -> None:
    with chain.session() as connection:
        head = connection.execute(HEAD, {"chain": CHAIN}).one()
    strand = msgspec.structs.replace(small(4, head.hash), **change)
    with pytest.raises(DBAPIError, match=match), chain.session(Role.APP) as connection:
        add(connection, strand)
    with chain.session(Role.APP) as connection:
        assert add(connection, small(4, head.hash)).seq == 4


@pytest.mark.parametrize("left_out", ["previous", "seq"])
def test_a_body_that_does_not_say_where_it_belongs_is_refused(chain: Database, left_out: str) -> None:
    with chain.session() as connection:
        head = connection.execute(HEAD, {"chain": CHAIN}).one()
    body = json.loads(canonical_bytes(small(4, head.hash)))
    del body[left_out]
    with pytest.raises(IntegrityError, match="does not continue its chain"), chain.session(Role.APP) as connection:
        connection.execute(ADD, {"body": json.dumps(body)})


def test_a_strand_waits_for_the_one_before_it_and_is_then_checked_against_it(chain: Database) -> None:
    """Also when its writer did not lock the head."""
    with chain.session() as connection:
        head = connection.execute(HEAD, {"chain": CHAIN}).one()

    def add_fourth() -> None:
        with chain.session(Role.APP) as connection:
            add(connection, small(4, head.hash))

    with chain.session(Role.APP) as first, ThreadPoolExecutor() as threads:
        add(first, small(4, head.hash))
        second = threads.submit(add_fourth)
        with chain.session() as connection:
            while not connection.scalar(text("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")):
                pass
        first.commit()
        with pytest.raises(IntegrityError, match="does not continue its chain"):
            second.result(30)


def test_columns_are_derived_from_the_body(chain: Database) -> None:
    with chain.session(Role.APP) as connection:
        head = connection.execute(HEAD, {"chain": CHAIN}).one()
        strand = small(4, head.hash)
        row = connection.execute(
            text(
                "INSERT INTO strands (chain, seq, hash, strand_id, kind, ts, body)"
                " VALUES ('lie', 99, repeat('f', 64), :id, 'hold', now(), :body) RETURNING chain, seq, hash, kind"
            ),
            {"id": UUID(int=9), "body": canonical_bytes(strand).decode()},
        ).one()
    assert tuple(row) == (CHAIN, 4, strand.hash, "control")


def test_many_writers_make_one_chain_without_holes(database: Database) -> None:
    with database.session(Role.APP) as connection:
        open_chain(connection)

    def write() -> None:
        for _ in range(20):
            with database.session(Role.APP) as connection:
                head = connection.execute(HEAD, {"chain": CHAIN}).one()
                add(connection, small(head.seq + 1, head.hash))

    assert at_once(write, 4) == []
    with database.session() as connection:
        rows = connection.execute(
            text("SELECT seq, hash, body::jsonb ->> 'previous' AS previous FROM strands ORDER BY seq")
        )
        previous, count = GENESIS, 0
        for count, row in enumerate(rows, start=1):
            assert (row.seq, row.previous) == (count, previous)
            previous = row.hash
    assert count == 80
