"""Frames for notebooks: what is in the database, with one type for each column, and nothing can be written."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from strandline import frames
from strandline.model.errors import StrandlineError
from strandline.model.signal import EngineState, Flag
from strandline.model.strand import GENESIS
from tests.conftest import Database
from tests.engine import samples
from tests.frames.series import BARS, END, START
from tests.store.rows import insert, insert_all
from tests.store.test_strands import add, open_chain, small

MINUTE = timedelta(minutes=1)
FOREVER = ("2020-01-01", "2030-01-01")
RANGED: dict[str, Callable[[Any, Any], pd.DataFrame]] = {
    "ticks": lambda start, end: frames.ticks("BTC", start, end),
    "bars": lambda start, end: frames.bars("BTC", "1m", start, end),
    "features": lambda start, end: frames.features("BTC", "1m", start, end),
    "signals": lambda start, end: frames.signals("BTC", "1m", start, end),
    "fills": lambda start, end: frames.fills(start, end),
    "strands": lambda start, end: frames.strands(start, end),
}


def kinds(frame: pd.DataFrame) -> dict[str, str]:
    return {name: str(kind) for name, kind in frame.dtypes.items()}


def test_bars_are_those_of_the_table(series: Database) -> None:
    found = frames.bars("SOL", "1m", START, END)
    assert len(found) == len(BARS.ts)
    assert (found.index.as_unit("us").asi8 == BARS.ts).all()
    for name in ("open", "high", "low", "close", "volume"):
        assert (found[name].to_numpy() == getattr(BARS, name)).all()
    assert set(found["source"]) == {"stream"}


def test_signals_and_features_are_those_of_the_engine(series: Database) -> None:
    outputs = samples.run(BARS)
    numbers = frames.features("SOL", "1m", START, END, terms=True)
    found = frames.signals("SOL", "1m", START, END)
    seen = slice(samples.FIRST_STATE - 1, None)
    assert len(numbers) == len(found) == len(BARS.ts) - samples.FIRST_STATE + 1
    for prefix, group in (("", outputs.indicators), ("score_", outputs.scores), ("term_", outputs.terms)):
        for name in group.dtype.names or ():
            assert (numbers[f"{prefix}{name}"].to_numpy() == group[name][seen]).all(), name
    assert (numbers["levels"].to_numpy() == outputs.bar_states["levels"][seen]).all()
    assert (found["state"].cat.codes.to_numpy() == outputs.bar_states["state"][seen]).all()
    flags = sum(found[flag.value].to_numpy().astype(int) << place for place, flag in enumerate(Flag))
    assert (flags == outputs.bar_states["flags"][seen]).all()
    assert flags.any()
    assert found["attempt_id"].notna().any()
    assert found["exit_reason"].notna().sum() == found["exit_position"].sum() > 0


def test_a_range_is_half_open(series: Database) -> None:
    for read in (frames.bars, frames.signals, frames.features):
        found = read("SOL", "1m", START + 400 * MINUTE, START + 403 * MINUTE)
        assert list(found.index) == [START + number * MINUTE for number in (400, 401, 402)]
        assert len(read("SOL", "1m", START + 400 * MINUTE, START + 400 * MINUTE)) == 0


def test_instants_of_any_zone(series: Database) -> None:
    east = timezone(timedelta(hours=9))
    found = [
        frames.bars("sol", "1m", *ends).index[0]
        for ends in (
            ("2026-09-01T01:00", "2026-09-01T02:00"),
            ("2026-09-01T10:00+09:00", "2026-09-01T02:00Z"),
            (datetime(2026, 9, 1, 10, tzinfo=east), END),
        )
    ]
    assert found == [datetime(2026, 9, 1, 1, tzinfo=UTC)] * 3
    assert str(found[0].tz) == "UTC"


def test_types_are_the_same_with_rows_and_without(empty: Database) -> None:
    with empty.session() as connection:
        insert_all(connection)
        open_chain(connection, "system")
        add(connection, small(1, GENESIS, "system"))
    for name, read in RANGED.items():
        some, none = read(*FOREVER), read("2020-01-01", "2020-01-02")
        if name not in ("features", "signals"):
            assert len(some), name
        assert len(none) == 0
        assert kinds(some) == kinds(none), name
        for found in (some, none):
            assert str(found.index.dtype) == "datetime64[us, UTC]", name
            assert found.index.name == "ts"


def test_types_of_signals(series: Database) -> None:
    for read in (frames.signals, frames.features):
        some, none = read("SOL", "1m", START, END), read("SOL", "1m", "2020-01-01", "2020-01-02")
        assert (len(some) > 0, len(none)) == (True, 0)
        assert kinds(some) == kinds(none)
        assert list(some["state"].cat.categories) == list(none["state"].cat.categories) == list(EngineState)
    assert {str(kind) for kind in frames.features("SOL", "1m", START, END).drop(
        columns=["state", "levels", "gap_detected", "gap_type"]).dtypes} == {"float64"}  # fmt: skip
    found = frames.signals("SOL", "1m", START, END)
    assert {str(found[name].dtype) for name in ("state_since", "attempt_id", "trend_id")} == {"datetime64[us, UTC]"}
    assert {str(found[flag.value].dtype) for flag in Flag} == {"bool"}


def test_exact_numbers_are_decimals(empty: Database) -> None:
    with empty.session() as connection:
        insert_all(connection)
    exact, floats = (frames.fills(*FOREVER, exact=exact) for exact in (True, False))
    for name in ("price", "quantity", "fee"):
        assert isinstance(exact[name].iloc[0], Decimal)
        assert floats[name].dtype == np.float64
        assert floats[name].iloc[0] == float(exact[name].iloc[0])
    rows = frames.positions(exact=True)
    assert isinstance(rows["quantity"].iloc[0], Decimal)
    assert frames.positions()["quantity"].dtype == np.float64


def test_null_is_no_number(empty: Database) -> None:
    with empty.session() as connection:
        insert(connection, "instruments")
        insert(connection, "ticks", ts="2026-01-01 00:00:01+00", trade_id=1, kind="p", size=None, side=None)
        insert(connection, "ticks", ts="2026-01-01 00:00:02+00", trade_id=2)
    found = frames.ticks("BTC", *FOREVER)
    assert found["size"].isna().tolist() == found["side"].isna().tolist() == [True, False]
    assert found["kind"].tolist() == ["price", "trade"]


def insert_ticks(database: Database, count: int) -> None:
    """Five in each microsecond, so that a chunk may end between two of one instant; and as many of another."""
    with database.session() as connection:
        insert(connection, "instruments")
        insert(connection, "instruments", token_contract="ETH", symbol="ETH")
        connection.execute(text("SELECT ensure_tick_partitions('2026-01-01', '2026-01-01')"))
        connection.execute(
            text("""
            INSERT INTO ticks (ts, instrument_id, trade_id, price, size, side, kind, source)
            SELECT timestamptz '2026-01-01' + interval '1 microsecond' * (n / 5), i, n % 5 - 2, n, 1, 'b', 't', 's'
            FROM generate_series(0, :count - 1) AS n, generate_series(1, 2) AS i
            """),
            {"count": count},
        )


@pytest.mark.parametrize("rows", [1, 3, 5, 7, 103, 104, 1000])
def test_chunks_are_all_ticks_each_once(empty: Database, rows: int) -> None:
    insert_ticks(empty, 103)
    chunks = list(frames.ticks_in_chunks("BTC", *FOREVER, rows=rows))
    assert [len(chunk) for chunk in chunks[:-1]] == [rows] * (len(chunks) - 1)
    assert pd.concat(chunks)["price"].tolist() == list(range(103))
    assert frames.ticks("BTC", *FOREVER)["price"].tolist() == list(range(103))


def test_more_ticks_than_memory_is_meant_for_are_refused(empty: Database) -> None:
    insert_ticks(empty, 103)
    assert len(frames.ticks("BTC", *FOREVER, limit=103)) == 103
    with pytest.raises(
        StrandlineError, match="BTC has more than 102 ticks in that range; shorten it, take ticks_in_chunk"
    ):
        frames.ticks("BTC", *FOREVER, limit=102)


def test_names(empty: Database) -> None:
    with empty.session() as connection:
        for symbol in ("BTC", "ETH", "kPEPE"):
            insert(connection, "instruments", token_contract=symbol, symbol=symbol)
        insert(
            connection,
            "instruments",
            token_chain="solana",
            book_id="onchain_crypto",
            token_contract="mint",
            symbol="ETH",
        )
    assert len(frames.bars("kpepe", "1m", *FOREVER)) == 0
    assert len(frames.bars("ETH", "1m", *FOREVER, venue="solana/onchain_crypto")) == 0
    for arguments, message in {
        ("PEPE",): "there is no instrument PEPE; near it: kPEPE",
        ("BTX",): "there is no instrument BTX; near it: BTC",
        ("zzzz",): "there is no instrument zzzz; there are 4, and none of a name like it",
        (
            "ETH",
        ): "several instruments are called ETH: hyperliquid/perps ETH, solana/onchain_crypto mint; name its venue",
        ("BTC", "solana"): "there is no venue solana; name one of hyperliquid/perps, solana/onchain_crypto",
        ("BTC", "solana/onchain_crypto"): "there is no instrument BTC at solana/onchain_crypto",
    }.items():
        with pytest.raises(StrandlineError) as error:
            frames.bars(arguments[0], "1m", *FOREVER, venue=arguments[1] if len(arguments) > 1 else None)
        assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("ends", "message"),
    [
        ((datetime(2026, 1, 1), END), "is in no time zone"),
        (("yesterday", END), "'yesterday' is no instant"),
        ((END, START), "before it starts"),
    ],
)
def test_ranges_that_are_in_doubt(series: Database, ends: tuple[Any, Any], message: str) -> None:
    with pytest.raises(StrandlineError, match=message):
        frames.bars("SOL", "1m", *ends)


def test_a_timeframe_that_there_is_not(series: Database) -> None:
    with pytest.raises(StrandlineError, match="there is no timeframe 2m; name one of 1m, 5m, 15m, 1h, 4h, 1d"):
        frames.bars("SOL", "2m", START, END)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO dirty_minutes VALUES (1, now()) RETURNING 1",
        "UPDATE instruments SET symbol = 'X' RETURNING 1",
        "DELETE FROM positions RETURNING 1",
        "CREATE TEMP TABLE mine AS SELECT 1",
        "SELECT next_known_seq()",
    ],
)
def test_nothing_can_be_written(series: Database, statement: str) -> None:
    with pytest.raises(DBAPIError, match=r"permission denied|read-only"):
        frames.query(statement)


@pytest.mark.parametrize("statement", ["INSERT INTO dirty_minutes VALUES (1, now())", "SELECT next_known_seq()"])
def test_the_role_alone_refuses_it_too(series: Database, statement: str) -> None:
    with pytest.raises(DBAPIError, match="permission denied for table"):
        frames.query(f"SET TRANSACTION READ WRITE; {statement}")


def test_any_query(series: Database) -> None:
    found = frames.query(
        "SELECT count(*) AS bars, max(ts) AS last FROM bars WHERE timeframe = :timeframe", timeframe="1m"
    )
    assert found["bars"].tolist() == [len(BARS.ts)]
    assert found["last"].iloc[0] == END - MINUTE


def test_the_generation_that_is_traded_by(series: Database) -> None:
    assert set(frames.signals("SOL", "1m", START, END)["generation"]) == {1}
    assert len(frames.signals("SOL", "1m", START, END, generation=2)) == 0
    assert len(frames.signals("SOL", "1m", START, END, generation=1)) > 0


def test_of_a_bar_that_was_stepped_again_the_newest_signal_counts(empty: Database) -> None:
    signal = {"state": "S1", "bar_count": 700, "flags": ["buy_signal"], "levels": [], "indicators": {"atr": 1.5}}
    with empty.session() as connection:
        insert(connection, "instruments")
        insert(connection, "engine_states", adopted=True)
        for restep, state in ((0, "S1"), (2, "S3"), (1, "S2")):
            stored = json.dumps(signal | {"state": state, "scores": {"ts": restep}})
            insert(connection, "features", restep=restep, uptrend_engine_v4=stored)
    found, numbers = (read("BTC", "1m", *FOREVER) for read in (frames.signals, frames.features))
    assert found[["state", "restep", "buy_signal", "buy_flag"]].to_numpy().tolist() == [["S3", 2, True, False]]
    assert numbers["score_ts"].tolist() == [2]
    assert numbers["ema20"].isna().all()  # as where an older engine did not have it


def test_fills_and_positions_of_one_instrument(empty: Database) -> None:
    with empty.session() as connection:
        insert_all(connection)
        insert(connection, "instruments", token_contract="ETH", symbol="ETH")
    assert len(frames.fills(*FOREVER, symbol="BTC")) == len(frames.fills(*FOREVER)) > 0
    assert len(frames.fills(*FOREVER, symbol="ETH")) == 0
    assert set(frames.positions("BTC")["symbol"]) == {"BTC"}
    assert len(frames.positions("ETH")) == 0
