"""Parquet files: the same tables as from CSV, whatever types they have; what could be misread is refused."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strandline.history.backfill import Backfill, Outcome
from strandline.history.file_units import FileRequest, file_units
from strandline.retention.archiving import archive_ticks
from strandline.retention.tick_archive import TickArchive
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from tests.conftest import Database, Server
from tests.history.loading import INSTRUMENTS, NOW, app_engine, contents, load, register, rows
from tests.retention.ticks import DAY, some, store
from tests.store.rows import insert

T0 = datetime(2026, 3, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
BERLIN = timezone(timedelta(hours=1))


def load_file(
    database: Database,
    path: Path,
    instruments: dict[str, int] | None = None,
    span: tuple[datetime, datetime] = (T0 - timedelta(days=99), T0 + timedelta(days=9)),
    rows: int = 4,
) -> Backfill:
    """Load it, four rows at a time."""
    names = {"Bitcoin": "BTC"}
    return load(
        database,
        file_units(FileRequest(path, HYPERLIQUID_PERPS, instruments or dict(INSTRUMENTS), names, *span, NOW), rows),
    )


def write(path: Path, columns: dict[str, Any], group: int = 3) -> Path:
    """Write the file, in small row groups."""
    pq.write_table(pa.table(columns), path, row_group_size=group)
    return path


TIMES = {
    "nanoseconds": lambda times: pa.array(times, pa.timestamp("ns", "UTC")),
    "milliseconds, in Berlin": lambda times: pa.array(times, pa.timestamp("ms", "+01:00")),
    "numbers": lambda times: pa.array([round(ts.timestamp() * 1000) for ts in times], pa.int64()),
    "text": lambda times: pa.array([ts.astimezone(BERLIN).isoformat() for ts in times], pa.string()),
}
NUMBERS = {
    "double": lambda values: pa.array(map(float, values), pa.float64()),
    "decimal": lambda values: pa.array(values, pa.decimal128(38, 12)),
    "text": lambda values: pa.array(map(str, values), pa.large_string()),
}
TEXTS = {
    "string": lambda values: pa.array(values, pa.string()),
    "dictionary": lambda values: pa.array(values, pa.string()).dictionary_encode(),
}
MOMENTS = st.integers(0, 86_400_000).map(lambda ms: T0 + timedelta(milliseconds=ms))
VALUES = st.integers(1, 10**18).map(lambda number: Decimal(number) / 10**9)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    trades=st.lists(
        st.tuples(MOMENTS, st.sampled_from(["BTC", "eth", "Bitcoin", "DOGE"]), VALUES, VALUES, st.sampled_from("bs")),
        min_size=1,
        max_size=15,
    ).map(lambda trades: trades + trades[:5]),
    own_ids=st.booleans(),
    times=st.sampled_from(sorted(TIMES)),
    numbers=st.sampled_from(sorted(NUMBERS)),
    texts=st.sampled_from(sorted(TEXTS)),
    group=st.integers(1, 30),
)
def test_trades_end_in_the_same_tables_as_from_csv(
    server: Server, template: str, tmp_path: Path, trades: list[tuple[datetime, str, Decimal, Decimal, str]],
    own_ids: bool, times: str, numbers: str, texts: str, group: int,
) -> None:  # fmt: skip
    """Whatever types the columns have, and however many rows a row group has."""
    trades.sort()
    ids = list(range(len(trades)))
    moments, names, prices, sizes, sides = (list(column) for column in zip(*trades, strict=True))
    columns = {
        "ts": TIMES[times](moments), "symbol": TEXTS[texts](names), "price": NUMBERS[numbers](prices),
        "size": NUMBERS[numbers](sizes), "side": TEXTS[texts](sides),
    }  # fmt: skip
    frame = pd.DataFrame({"ts": moments, "symbol": names, "price": prices, "size": sizes, "side": sides})
    frame["ts"] = [ts.isoformat() for ts in moments]
    if own_ids:
        columns["trade_id"], frame["trade_id"] = pa.array(ids, pa.int32()), ids
    parquet, csv = write(tmp_path / "t.parquet", columns, group), tmp_path / "t.csv"
    frame.to_csv(csv, index=False)
    found = []
    for path in (parquet, csv):
        database = server.create(template)
        try:
            register(database)
            done = load_file(database, path)
            assert done.failures == []
            assert load_file(database, path).units[Outcome.LOADED_BEFORE] == done.units[Outcome.LOADED]
            found.append((contents(database), rows(database, "SELECT count(*) FROM ticks")))
        finally:
            server.drop(database)
    assert found[0] == found[1]
    assert found[0][1] == [(sum(name != "DOGE" for _, name, *_ in trades),)]


def test_bars_and_prices_end_in_the_same_tables_as_from_csv(server: Server, template: str, tmp_path: Path) -> None:
    """As pandas writes them, with the index that a filter has left."""
    start = pd.Timestamp("2026-03-01", tz="UTC")
    bars = pd.DataFrame(
        {"ts": [start + pd.Timedelta(minutes=n) for n in range(9)], "symbol": "ETH", "open": 2.0, "high": 3, "low": 1,
         "close": 2.5, "volume": range(9), "trades": pd.array([None, *range(1, 9)], "Int64")}
    )  # fmt: skip
    prices = pd.DataFrame({"ts": [start + pd.Timedelta(seconds=n) for n in range(9)], "price": np.arange(9) + 1 / 3})
    found = []
    for suffix in ("parquet", "csv"):
        database = server.create(template)
        try:
            register(database)
            for name, frame, wanted in (("bars", bars, INSTRUMENTS), ("prices", prices, {"BTC": 1})):
                path = tmp_path / f"{name}.{suffix}"
                frame = frame[frame["ts"] > start]
                if suffix == "csv":
                    frame.assign(ts=[ts.isoformat() for ts in frame["ts"]]).to_csv(path, index=False)
                else:
                    frame.to_parquet(path)
                assert load_file(database, path, dict(wanted)).rows.stored == 8
            found.append(contents(database))
        finally:
            server.drop(database)
    assert found[0] == found[1]


@pytest.mark.parametrize("position", range(3))
def test_a_type_that_could_be_misread_is_refused_and_named(database: Database, tmp_path: Path, position: int) -> None:
    """Wherever the column stands; nothing is stored."""
    register(database)
    for name, array, said in (
        ("ts", pa.array([T0.replace(tzinfo=None)], pa.timestamp("ns")), "timestamp[ns] without a time zone; if UTC is"),
        ("ts", pa.array([date(2026, 3, 1)]), "column ts: is date32[day] and no time; write times with their zone"),
        ("ts", pa.array([1.772e12]), "column ts: is double and no time"),
        ("price", pa.array([True]), "column price: is bool and not numbers; in pandas"),
        ("price", pa.array([[1.0]]), "column price: is list<element: double> and not numbers"),
        ("size", pa.array([b"1"]), "column size: is binary and not numbers"),
        ("side", pa.array([1]), "column side: is int64 and not text; in pandas"),
        ("symbol", pa.array([1]), "column symbol: is int64 and not text"),
        ("trade_id", pa.array([1.0]), "column trade_id: is double and not whole numbers; in pandas"),
        ("trade_id", pa.nulls(1), "column trade_id: is null and not whole numbers"),
    ):
        columns = good(1) | {name: array}
        del columns[name]
        items = list(columns.items())
        items.insert(position, (name, array))
        path = write(tmp_path / "t.parquet", dict(items))
        (failure,) = load_file(database, path).failures
        assert said in failure
        assert str(path) in failure
    assert rows(database, "SELECT (SELECT count(*) FROM history_loads), (SELECT count(*) FROM ticks)") == [(0, 0)]


def good(count: int) -> dict[str, Any]:
    """The columns of so many trades."""
    return {
        "ts": pa.array([T0 + n * SECOND for n in range(count)], pa.timestamp("us", "UTC")),
        "symbol": pa.array(["BTC"] * count), "price": pa.array([1.5] * count), "size": pa.array([2.0] * count),
        "side": pa.array(["buy"] * count), "trade_id": pa.array(range(count), pa.int64()),
    }  # fmt: skip


def spoiled(column: pa.Array, position: int, value: object) -> pa.Array:
    """The column with another value at this position."""
    values: list[object] = column.to_pylist()
    values[position] = value
    return pa.array(values, column.type)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("price", None, "row 6, column price: is null; nothing from row 5 on was stored"),
        ("trade_id", None, "row 6, column trade_id: is null"),
        ("ts", None, "row 6, column ts: is null"),
        ("side", "up", "row 6, column side: 'up' is neither buy nor sell"),
        ("symbol", " ", "row 6, column symbol: ' ' is no symbol"),
    ],
)
def test_a_bad_value_is_named_with_its_row(
    database: Database, tmp_path: Path, name: str, value: object, said: str
) -> None:
    """The pieces before it are stored and not loaded again when it is mended; nothing of its own piece is."""
    register(database)
    columns = good(9)
    path = write(tmp_path / "t.parquet", columns | {name: spoiled(columns[name], 5, value)})
    done = load_file(database, path)
    assert (done.units[Outcome.LOADED], done.units[Outcome.FAILED], done.rows.stored) == (1, 1, 4)
    assert said in done.failures[0]
    again = load_file(database, write(path, columns))
    assert (again.units[Outcome.LOADED_BEFORE], again.units[Outcome.LOADED], again.rows.stored) == (1, 2, 5)


@pytest.mark.parametrize("factor", [1_000, 1e-3])
def test_whole_numbers_that_are_no_milliseconds_are_refused(database: Database, tmp_path: Path, factor: float) -> None:
    """Microseconds, and seconds: they would be days in other centuries."""
    register(database)
    number = int(T0.timestamp() * 1000 * factor)
    path = write(tmp_path / "t.parquet", good(1) | {"ts": pa.array([number], pa.int64())})
    (failure,) = load_file(database, path).failures
    assert f"row 1, column ts: {number} are no milliseconds since 1970, such as 1772323200000" in failure


def test_what_is_not_valid_is_refused_by_reason(database: Database, tmp_path: Path) -> None:
    register(database)
    columns = good(4) | {"price": pa.array([1.0, 0.0, float("nan"), 1.0]), "size": pa.array([1.0, 1.0, 1.0, -1.0])}
    done = load_file(database, write(tmp_path / "t.parquet", columns))
    assert done.rows.refused == {"price not above 0": 1, "not a finite number": 1, "size not above 0": 1}
    assert done.rows.stored == 1


@pytest.mark.parametrize(
    ("dropped", "added", "said"),
    [
        (["side"], [], "no column side; trades have the columns ts, price, size, side and may have symbol, trade_id"),
        (["ts"], ["Time"], "no column ts and an unknown column Time"),
        ([], ["price"], "two columns price"),
        ([], ["open"], "an unknown column price"),
    ],
)
def test_a_file_with_other_columns_is_refused(
    database: Database, tmp_path: Path, dropped: Sequence[str], added: Sequence[str], said: str
) -> None:
    register(database)
    columns = {name: column for name, column in good(2).items() if name not in dropped}
    arrays, names = [*columns.values(), *(pa.array([1.0, 2.0]) for _ in added)], [*columns, *added]
    path = tmp_path / "t.parquet"
    pq.write_table(pa.Table.from_arrays(arrays, names), path)
    (failure,) = load_file(database, path).failures
    assert said in failure
    assert rows(database, "SELECT count(*) FROM history_loads") == [(0,)]


@pytest.mark.parametrize("cut", [0, 3, 40, 200])
def test_a_file_that_is_cut_off_is_refused(database: Database, tmp_path: Path, cut: int) -> None:
    """And an empty one."""
    register(database)
    path = write(tmp_path / "t.parquet", good(50))
    path.write_bytes(path.read_bytes()[:-cut] if cut else b"")
    (failure,) = load_file(database, path).failures
    assert f"{path} cannot be read: " in failure
    assert rows(database, "SELECT count(*) FROM ticks") == [(0,)]


def test_a_file_whose_data_are_damaged_is_refused(database: Database, tmp_path: Path) -> None:
    """It can be read to its end only in part: nothing of the damaged piece is stored."""
    register(database)
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table(good(1000)), path, row_group_size=500, use_dictionary=False, compression="zstd")
    content = bytearray(path.read_bytes())
    start = pq.ParquetFile(path).metadata.row_group(1).column(2).data_page_offset
    content[start : start + 60] = bytes(60)
    path.write_bytes(content)
    done = load_file(database, path, rows=500)
    assert f"{path} cannot be read: " in done.failures[0]
    assert rows(database, "SELECT count(*) FROM ticks") == [(500,)]


def test_pieces_are_named_by_their_rows(tmp_path: Path) -> None:
    """However the file's row groups lie."""
    path = write(tmp_path / "t.parquet", good(9))
    request = FileRequest(path, HYPERLIQUID_PERPS, {"BTC": 1}, {}, T0, NOW, NOW)
    names = [unit.name.removeprefix("t.parquet, ") for unit in file_units(request, 4)]
    assert names == ["rows 1 to 4", "rows 5 to 8", "rows 9 to 9"]


def test_a_file_of_parquet_is_told_by_its_first_bytes(database: Database, tmp_path: Path) -> None:
    register(database)
    write(tmp_path / "t.parquet", good(3)).rename(tmp_path / "export.dat")
    assert load_file(database, tmp_path / "export.dat").rows.stored == 3


def test_a_day_that_maintenance_has_moved_comes_into_another_database(
    database: Database, server: Server, template: str, tmp_path: Path
) -> None:
    """With its ids and sources; its instruments may have other numbers there."""
    store(database, some())
    query = "SELECT ts, token_contract, trade_id, price, size, side::text, kind::text, source::text FROM ticks"
    query = f"{query} JOIN instruments USING (instrument_id) ORDER BY 1, 2, 3"
    before = rows(database, query)
    archive = TickArchive(tmp_path)
    with app_engine(database) as engine:
        archive_ticks(engine, archive, DAY + timedelta(days=1), lambda _: None)
    (entry,) = archive.files()
    other = server.create(template)
    try:
        with other.session() as session:
            for contract in ("C1", "C0", "DOGE"):
                insert(session, "instruments", token_contract=contract, symbol=contract)
        wanted = dict(rows(other, "SELECT token_contract, instrument_id FROM instruments"))
        done = load_file(other, archive.path(entry), wanted, (T0 - timedelta(days=99), T0), rows=50)
        assert done.failures == []
        assert done.rows.refused == {"size not above 0": 1}
        assert rows(other, query) == [tick for tick in before if tick[4] != 0]
        assert rows(other, "SELECT count(*) > 0 FROM dirty_minutes") == [(True,)]
    finally:
        server.drop(other)
