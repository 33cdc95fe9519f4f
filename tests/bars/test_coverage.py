"""What the bars cover: counted minute by minute here, and in the database by the bucket."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from strandline.bars.coverage import MINUTE, Coverage, Span, read_coverage
from strandline.store.roles import Role
from tests.conftest import Database
from tests.store.rows import insert

T0 = datetime(2026, 1, 1, tzinfo=UTC)


def at(minute: int) -> datetime:
    """The start of this minute after midnight."""
    return T0 + MINUTE * minute


def add_bars(connection: Connection, instrument: int, minutes: dict[int, dict[str, Any]]) -> None:
    """Bars of one minute, with what is special about each."""
    for minute, special in minutes.items():
        insert(connection, "bars", instrument_id=instrument, ts=at(minute), **special)


@pytest.fixture
def instruments(database: Database) -> list[int]:
    """BTC and ETH."""
    with database.session() as connection:
        for symbol in ("BTC", "ETH"):
            insert(connection, "instruments", symbol=symbol, token_contract=f"contract of {symbol}")
        return list(connection.scalars(text("SELECT instrument_id FROM instruments ORDER BY 1")))


def covered(database: Database, span: Span, as_of: datetime, symbols: list[str] | None = None) -> list[Coverage]:
    """As the pages' role reads it."""
    with database.session(Role.UI) as connection:
        return read_coverage(connection, span, as_of, symbols)


def test_counts_within_the_span_and_ends_of_all_time(database: Database, instruments: list[int]) -> None:
    btc, _ = instruments
    special: dict[int, dict[str, Any]] = {
        12: {"outage": True},
        13: {"outage": True, "repaired": True},
        14: {"dropped": 3},
    }
    with database.session() as connection:
        add_bars(connection, btc, {n: special.get(n, {}) for n in (2, 10, 11, 12, 13, 14, 17)})
    (one,) = covered(database, Span(at(10), at(20), MINUTE * 5), at(30))
    assert (one.symbol, one.first_bar, one.newest_at) == ("BTC", at(2), at(18))
    assert (one.bars, one.expected, one.missing, one.incomplete, one.repaired) == (6, 8, 2, 2, 1)
    assert one.shares == (1.0, 0.2)


def test_before_the_first_bar_nothing_is_missing(database: Database, instruments: list[int]) -> None:
    with database.session() as connection:
        add_bars(connection, instruments[0], {7: {}, 8: {}, 9: {}})
    (one,) = covered(database, Span(at(0), at(10), MINUTE * 5), at(10))
    assert (one.expected, one.missing) == (3, 0)
    assert one.shares == (None, 1.0)


def test_a_tick_of_the_last_minutes_is_newer_than_the_newest_bar(database: Database, instruments: list[int]) -> None:
    with database.session() as connection:
        add_bars(connection, instruments[0], {0: {}})
        insert(connection, "ticks", instrument_id=instruments[0], ts=at(1) + timedelta(seconds=5))
    span = Span(at(0), at(2), MINUTE)
    assert covered(database, span, at(2))[0].newest_at == at(1) + timedelta(seconds=5)
    assert covered(database, span, at(60))[0].newest_at == at(1), "older ticks are not looked for"


@pytest.mark.parametrize("name", ["eth", "ETH", "Contract of eth"])
def test_symbols_are_chosen_in_any_case(database: Database, instruments: list[int], name: str) -> None:
    with database.session() as connection:
        for instrument in instruments:
            add_bars(connection, instrument, {0: {}})
    span = Span(at(0), at(2), MINUTE)
    assert [one.symbol for one in covered(database, span, at(2))] == ["BTC", "ETH"]
    assert [one.symbol for one in covered(database, span, at(2), [name])] == ["ETH"]


@given(st.integers(1, 20_000), st.integers(1, 500))
def test_buckets_are_the_span_in_whole_minutes(minutes: int, most: int) -> None:
    span = Span.of(at(0), at(minutes), most)
    buckets = span.buckets
    assert len(buckets) <= most
    assert buckets[0][0] == at(0)
    assert buckets[-1][1] == at(minutes)
    assert all(end == start for (_, end), (start, _) in pairwise(buckets))
    assert all(end - start == span.bucket for start, end in buckets[:-1])


@pytest.mark.slow
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    minutes=st.sets(st.integers(0, 60), min_size=1),
    since=st.integers(0, 40),
    length=st.integers(1, 30),
    most=st.integers(1, 12),
)
def test_every_bucket_has_its_minutes(
    database: Database, minutes: set[int], since: int, length: int, most: int
) -> None:
    span = Span.of(at(since), at(since + length), most)
    with database.session() as connection:
        contract = f"{connection.scalar(text('SELECT count(*) FROM instruments'))}"
        insert(connection, "instruments", token_contract=contract)
        number = connection.scalar(text("SELECT max(instrument_id) FROM instruments"))
        add_bars(connection, int(number or 0), {minute: {} for minute in minutes})
    (one,) = covered(database, span, at(100), [contract])
    chosen = range(max(since, min(minutes)), min(since + length, max(minutes) + 1))
    assert (one.bars, one.missing) == (len(minutes & set(chosen)), len(set(chosen) - minutes))
    for share, (start, end) in zip(one.shares, span.buckets, strict=True):
        inside = set(range(max((start - T0) // MINUTE, min(minutes)), (end - T0) // MINUTE))
        assert share == (len(inside & minutes) / len(inside) if inside else None)
