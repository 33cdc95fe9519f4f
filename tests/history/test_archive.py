"""Archives of trades: every trade once, wherever its records are, and bad files in words."""

import gzip
import json
import random
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import lz4.frame  # type: ignore[import-untyped]
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strandline.history.archive import archive_units
from strandline.history.backfill import Outcome
from strandline.venues.hyperliquid.archive import HyperliquidArchive
from tests.conftest import Database, Server
from tests.history.archives import HOUR, Trade, block, fills, node_trade, write_hour, write_trades
from tests.history.loading import INSTRUMENTS, NOW, contents, load, load_archive, register, rows
from tests.store.rows import insert

T0 = datetime(2025, 8, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOURS = [T0 + number * HOUR for number in range(-1, 4)]
ASKED = (T0, T0 + 3 * HOUR)
TRADE = st.builds(
    Trade,
    st.integers(-3_600_000, 4 * 3_600_000 - 1).map(lambda ms: T0 + timedelta(milliseconds=ms)),
    st.integers(0, 2**50),
    st.sampled_from(["BTC", "ETH", "DOGE", "@107"]),
    st.sampled_from(["100.5", "0.0001", "99999.0"]),
    st.sampled_from(["1.0", "0.00001"]),
    st.sampled_from("AB"),
)
TRADES = st.lists(TRADE, max_size=30, unique_by=lambda trade: trade.tid)
TICKS = (
    "SELECT ts, instrument_id, trade_id, price, size, side::text, kind::text, source::text FROM ticks"
    " ORDER BY ts, instrument_id, trade_id"
)


def expected(trades: Sequence[Trade]) -> list[tuple[Any, ...]]:
    """The ticks of these trades."""
    return sorted(
        (
            one.ts,
            INSTRUMENTS[one.coin],
            one.tid,
            float(one.px),
            float(one.sz),
            "b" if one.side == "B" else "s",
            "t",
            "a",
        )
        for one in trades
        if one.coin in INSTRUMENTS and ASKED[0] <= one.ts < ASKED[1]
    )


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    trades=TRADES,
    dataset=st.sampled_from(["node_fills", "node_fills_by_block"]),
    order=st.randoms(use_true_random=False),
    backwards=st.booleans(),
)
def test_every_trade_is_stored_once_wherever_its_records_are(
    server: Server, template: str, trades: list[Trade], dataset: str, order: random.Random, backwards: bool
) -> None:
    """Records are shuffled and doubled; each fill is in its hour's file or in one beside it, apart from the other."""
    files: dict[datetime, list[Any]] = {hour: [] for hour in HOURS}
    for trade in trades:
        for fill in fills(trade):
            home = HOURS.index(trade.ts.replace(minute=0, second=0, microsecond=0))
            for _ in range(order.choice([1, 1, 2])):
                near = HOURS[max(0, home - 1) : home + 2]
                files[order.choice(near)].append(fill)
    database = server.create(template)
    try:
        register(database)
        with TemporaryDirectory() as folder:
            for hour, records in files.items():
                order.shuffle(records)
                lines = records if dataset == "node_fills" else [block(records)]
                write_hour(Path(folder), dataset, hour, lines)
            plan = archive_units(HyperliquidArchive(), Path(folder), INSTRUMENTS, *ASKED, NOW)
            done = load(database, reversed(plan.units) if backwards else plan.units)
            assert rows(database, TICKS) == expected(trades)
            assert done.rows.stored == len(expected(trades))
            again = load(database, plan.units)
            assert again.units == {**dict.fromkeys(Outcome, 0), Outcome.LOADED_BEFORE: len(plan.units)}
        minutes = {(number, ts.replace(second=0, microsecond=0)) for ts, number, *_ in expected(trades)}
        assert set(rows(database, "SELECT instrument_id, minute FROM dirty_minutes")) == minutes
    finally:
        server.drop(database)


@pytest.mark.parametrize("shift", [-1, 1])
def test_a_trade_is_found_in_a_file_beside_its_hour_even_at_the_edge_of_the_time(
    database: Database, tmp_path: Path, shift: int
) -> None:
    register(database)
    home = {-1: HOURS[1], 1: HOURS[3]}[shift]
    trade = Trade(home + timedelta(minutes=30), 5)
    write_trades(tmp_path, "node_fills", {**dict.fromkeys(HOURS, ()), home + shift * HOUR: [trade]})
    load_archive(database, tmp_path, *ASKED)
    assert rows(database, TICKS) == expected([trade])


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(trades=TRADES, order=st.randoms(use_true_random=False))
def test_trades_without_ids_get_the_same_id_whenever_they_are_read(
    server: Server, template: str, trades: list[Trade], order: random.Random
) -> None:
    def hours(position: int) -> dict[datetime, list[Trade]]:
        shuffled = order.sample(trades, len(trades))
        return {hour: [one for one in shuffled if hour <= one.ts < hour + HOUR] for hour in HOURS[position:]}

    database = server.create(template)
    try:
        register(database)
        with TemporaryDirectory() as folder:
            write_trades(Path(folder), "node_trades", hours(0))
            load_archive(database, Path(folder), *ASKED)
            first = rows(database, TICKS)
            told = sorted(tick[:2] + tick[3:] for tick in first)
            assert told == sorted(tick[:2] + tick[3:] for tick in expected(trades))
            write_trades(Path(folder), "node_trades", hours(0))
            load_archive(database, Path(folder), *ASKED)
            assert rows(database, TICKS) == first
    finally:
        server.drop(database)


def busy(hours: Sequence[datetime] = HOURS) -> dict[datetime, list[Trade]]:
    """Ten trades in each hour."""
    coins = list(INSTRUMENTS)
    return {
        hour: [
            Trade(
                hour + number * timedelta(minutes=6, milliseconds=7), 100 * index + number, coins[number % len(coins)]
            )
            for number in range(10)
        ]
        for index, hour in enumerate(hours)
    }


def test_an_hour_is_taken_from_one_dataset_even_if_another_comes_later(database: Database, tmp_path: Path) -> None:
    """The same trades have other ids in node_trades, and a volume must not be counted twice."""
    register(database)
    trades = busy()
    write_trades(tmp_path, "node_trades", trades)
    write_trades(tmp_path, "node_fills", {hour: trades[hour] for hour in HOURS[3:]})
    load_archive(database, tmp_path, *ASKED)
    assert rows(database, "SELECT count(*) FROM ticks") == [(30,)]
    assert rows(database, f"SELECT count(*) FROM ticks WHERE ts >= '{HOURS[3]}' AND trade_id < 1000") == [(10,)]
    write_trades(tmp_path, "node_fills_by_block", trades)
    done = load_archive(database, tmp_path, *ASKED)
    assert rows(database, "SELECT count(*) FROM ticks") == [(30,)]
    assert done.rows.refused["there already, under other ids"] == 20


def test_a_symbol_or_an_hour_that_is_asked_for_later_is_loaded_then(database: Database, tmp_path: Path) -> None:
    register(database)
    write_trades(tmp_path, "node_fills", busy())
    first = load_archive(database, tmp_path, T0, T0 + HOUR / 2, {"BTC": 1})
    assert (first.rows.stored, rows(database, "SELECT count(*) FROM ticks")) == (3, [(3,)])
    load_archive(database, tmp_path, T0, T0 + HOUR, {"BTC": 1})
    assert rows(database, "SELECT count(*) FROM ticks") == [(5,)]
    load_archive(database, tmp_path, *ASKED)
    assert rows(database, "SELECT count(*) FROM ticks") == [(30,)]
    before = contents(database)
    changed = busy()
    changed[T0].append(Trade(T0 + timedelta(minutes=59), 9_999))
    write_trades(tmp_path, "node_fills", {T0: changed[T0]})
    assert load_archive(database, tmp_path, *ASKED).units[Outcome.LOADED] == 1
    assert rows(database, "SELECT count(*) FROM ticks") == [(31,)]
    assert contents(database) != before


def test_what_is_not_valid_is_refused_by_reason(database: Database, tmp_path: Path) -> None:
    register(database)
    at = T0 + timedelta(minutes=1)
    bad = [
        Trade(at, 1, px="0.0"), Trade(at, 2, px="-1.5"), Trade(at, 3, px="nan"), Trade(at, 4, sz="inf"),
        Trade(at, 5, sz="0.0"), Trade(at, -6), Trade(T0 - timedelta(minutes=1), 7), Trade(at, 8, coin="DOGE"),
    ]  # fmt: skip
    write_trades(tmp_path, "node_fills", {T0: [*bad, Trade(at, 9)]})
    done = load_archive(database, tmp_path, *ASKED)
    # Each trade has two records.
    assert done.rows.refused == Counter(
        {
            "price not above 0": 4,
            "not a finite number": 4,
            "size not above 0": 2,
            "id out of range": 2,
            "outside the time asked for": 2,
        }
    )
    assert rows(database, "SELECT trade_id FROM ticks") == [(9,)]
    found = rows(database, "SELECT instrument_id, found, stored, refused ->> 'id out of range' FROM history_loads")
    assert sorted(found) == [(1, 1, 1, "2"), (2, 0, 0, None)]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda raw: raw[:-9], "damaged or cut off after line"),
        (lambda raw: raw[: len(raw) // 2], "damaged or cut off after line"),
        (lambda _: b"", "damaged or cut off after line 0"),
        (lambda _: b"no frame at all", "is not compressed with LZ4, as its name says"),
        (lambda _: gzip.compress(b"x"), "is not compressed with LZ4, as its name says"),
        (lambda raw: raw[:100] + b"\0" * 40 + raw[140:], "damaged or cut off after line"),
        (lambda raw: lz4.frame.compress(lz4.frame.decompress(raw) + b"<html>\n"), "line 21: no record of node_fills"),
        (lambda _: lz4.frame.compress(b'["0x", {"coin": "BTC"}]\n'), "line 1: no record of node_fills"),
        (lambda _: lz4.frame.compress(b"[" * 100_000), "line 1: no record of node_fills"),
        (lambda _: lz4.frame.compress(b"\xff\xfe\n"), "line 1: no record of node_fills"),
        (lambda _: lz4.frame.compress(json.dumps(node_trade(Trade(T0, 1))).encode()), "line 1: no record of"),
    ],
)
def test_a_bad_file_is_named_and_nothing_of_it_is_stored(
    database: Database, tmp_path: Path, damage: Any, said: str
) -> None:
    """The hours beside it are loaded, and it is loaded as soon as it is mended."""
    register(database)
    write_trades(tmp_path, "node_fills", busy())
    path = tmp_path / "node_fills" / "hourly" / "20250801" / "1.lz4"
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    done = load_archive(database, tmp_path, *ASKED)
    (failure,) = done.failures
    assert said in failure
    assert str(path) in failure
    assert "\n" not in failure
    assert (done.units[Outcome.LOADED], done.units[Outcome.FAILED]) == (4, 1)
    assert rows(database, "SELECT count(*) FROM ticks") == [(20,)]
    path.write_bytes(whole)
    assert load_archive(database, tmp_path, *ASKED).units[Outcome.LOADED] == 1
    assert rows(database, "SELECT count(*) FROM ticks") == [(30,)]


def test_hours_without_a_file_are_named(tmp_path: Path) -> None:
    write_trades(tmp_path, "node_trades", {T0: []})
    plan = archive_units(HyperliquidArchive(), tmp_path, INSTRUMENTS, *ASKED, NOW)
    assert list(plan.missing) == [T0 + HOUR, T0 + 2 * HOUR]
    assert archive_units(HyperliquidArchive(), tmp_path, INSTRUMENTS, T0 + 24 * HOUR, T0 + 48 * HOUR, NOW).units == []


@pytest.mark.parametrize("inner", ["", "node_fills", "node_fills/hourly"])
def test_the_folder_may_be_the_archive_or_a_dataset_of_it(tmp_path: Path, inner: str) -> None:
    path = write_hour(tmp_path, "node_fills", T0, [])
    dataset = HyperliquidArchive.datasets[1]
    assert HyperliquidArchive().path_of(tmp_path / inner, dataset, T0) == path
    assert HyperliquidArchive().path_of(tmp_path / inner, dataset, T0 + HOUR) is None
    # A node of one's own does not compress.
    plain = path.with_suffix("")
    path.rename(plain)
    assert HyperliquidArchive().path_of(tmp_path / inner, dataset, T0) == plain


def miss(database: Database, instrument: int, since: datetime, until: datetime | str | None) -> None:
    """Insert an outage; without an end, ticks that were dropped."""
    with database.session() as session:
        if until is None:
            insert(session, "dropped_ticks", instrument_id=instrument, minute=since)
        else:
            insert(session, "outages", instrument_id=instrument, starts_at=since, ends_at=until)


def repaired(database: Database) -> list[datetime]:
    """The beginnings of what is repaired."""
    missed = "SELECT starts_at, repaired_at FROM outages UNION ALL SELECT minute, repaired_at FROM dropped_ticks"
    found = rows(
        database, f"SELECT starts_at, repaired_at FROM ({missed}) AS m WHERE repaired_at IS NOT NULL ORDER BY 1"
    )
    assert all(at == NOW for _, at in found)
    return [starts_at for starts_at, _ in found]


@pytest.mark.parametrize("backwards", [False, True])
def test_what_was_missed_in_hours_that_are_whole_is_repaired(
    database: Database, tmp_path: Path, backwards: bool
) -> None:
    """An hour is whole with its file and that of the next hour; the last hour asked for has no next file here."""
    register(database)
    inside, across, dropped = T0 + 7 * MINUTE, T0 + 55 * MINUTE, T0 + 90 * MINUTE
    miss(database, 1, inside, T0 + 9 * MINUTE)
    miss(database, 1, across, T0 + 65 * MINUTE)
    miss(database, 1, dropped, None)
    miss(database, 1, T0 - MINUTE, T0 + MINUTE)
    miss(database, 1, T0 + 119 * MINUTE, T0 + 121 * MINUTE)
    miss(database, 1, T0 + 100 * MINUTE, "infinity")
    miss(database, 1, T0 + 150 * MINUTE, None)
    write_trades(tmp_path, "node_fills", {hour: trades for hour, trades in busy().items() if hour != HOURS[4]})
    plan = archive_units(HyperliquidArchive(), tmp_path, INSTRUMENTS, *ASKED, NOW)
    load(database, reversed(plan.units) if backwards else plan.units, bars=True)
    assert repaired(database) == [inside, across, dropped]
    minutes = "SELECT ts FROM bars WHERE timeframe = '1m' AND instrument_id = 1 AND repaired ORDER BY ts"
    # Of the minutes that were missed these have a trade of it.
    assert rows(database, minutes) == [(T0 + 60 * MINUTE,)]
    write_trades(tmp_path, "node_fills", {HOURS[4]: busy()[HOURS[4]]})
    load_archive(database, tmp_path, *ASKED)
    assert repaired(database) == [inside, across, dropped, T0 + 119 * MINUTE, T0 + 150 * MINUTE]


@pytest.mark.parametrize("case", ["a part of the hour", "a trade that cannot be", "another dataset", "another symbol"])
def test_what_was_missed_in_an_hour_that_is_not_whole_is_not_repaired(
    database: Database, tmp_path: Path, case: str
) -> None:
    register(database)
    miss(database, 1, T0 + 30 * MINUTE, T0 + 40 * MINUTE)
    trades, asked, instruments = busy(), ASKED, dict(INSTRUMENTS)
    if case == "a part of the hour":
        asked = (T0 + 31 * MINUTE, ASKED[1])
    elif case == "a trade that cannot be":
        trades[T0].append(Trade(T0 + 50 * MINUTE, 9_999, px="0.0"))
    elif case == "another symbol":
        instruments = {"ETH": 2}
    datasets = dict.fromkeys(HOURS, "node_fills")
    if case == "another dataset":
        datasets[T0] = "node_fills_by_block"
    for hour in HOURS[:4]:
        write_trades(tmp_path, datasets[hour], {hour: trades[hour]})
    load_archive(database, tmp_path, *asked, instruments)
    assert repaired(database) == []
