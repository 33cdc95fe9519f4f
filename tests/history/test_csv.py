"""CSV files of trades, prices and bars: exact values, bounded pieces, faults by line and column."""

import gzip
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strandline.history.backfill import Backfill, Outcome
from strandline.history.file_units import FileRequest, file_units
from strandline.model.errors import StrandlineError
from strandline.venues.history import Candle
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from tests.conftest import Database, Server
from tests.history.loading import INSTRUMENTS, NOW, contents, load, register, rows

T0 = datetime(2026, 3, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
TRADES_HEAD = "ts,symbol,price,size,side,trade_id"


def write(path: Path, head: str, lines: Iterable[str]) -> Path:
    """Write the file."""
    path.write_text("\n".join([head, *lines]) + "\n")
    return path


def load_file(
    database: Database,
    path: Path,
    instruments: dict[str, int] | None = None,
    span: tuple[datetime, datetime] = (T0 - timedelta(days=9), T0 + timedelta(days=9)),
    lines: int = 4,
) -> Backfill:
    """Load it, four lines at a time."""
    wanted = instruments or dict(INSTRUMENTS)
    return load(
        database, file_units(FileRequest(path, HYPERLIQUID_PERPS, wanted, {"Bitcoin": "BTC"}, *span, NOW), lines)
    )


MOMENTS = st.integers(0, 86_400_000).map(lambda ms: T0 + timedelta(milliseconds=ms))
PRICES = st.floats(1e-9, 1e9)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    trades=st.lists(
        st.tuples(MOMENTS, st.sampled_from(["BTC", "ETH", "Bitcoin", "DOGE"]), PRICES, PRICES, st.sampled_from("bs")),
        max_size=15,
    ).map(lambda trades: trades + trades[:5]),
    own_ids=st.booleans(),
    in_milliseconds=st.booleans(),
)
def test_trades_are_stored_as_they_are_written(
    server: Server, template: str, tmp_path: Path, trades: list[tuple[datetime, str, float, float, str]],
    own_ids: bool, in_milliseconds: bool,
) -> None:  # fmt: skip
    """Every line is a trade, equal ones too, whether it has an id or not."""
    trades.sort()
    head = TRADES_HEAD if own_ids else TRADES_HEAD.removesuffix(",trade_id")
    lines = [
        f"{round(ts.timestamp() * 1000) if in_milliseconds else ts.isoformat()},{name},{price!r},{size!r},{side}"
        + f",{number}" * own_ids
        for number, (ts, name, price, size, side) in enumerate(trades)
    ]
    path = write(tmp_path / "trades.csv", head, lines)
    database = server.create(template)
    try:
        register(database)
        done = load_file(database, path)
        known = {"BTC": 1, "ETH": 2, "Bitcoin": 1}
        found = rows(database, "SELECT ts, instrument_id, price, size, side::text, kind::text, source::text FROM ticks")
        assert sorted(found) == sorted(
            (ts, known[n], p, s, side, "t", "a") for ts, n, p, s, side in trades if n in known
        )
        before = contents(database)
        again = load_file(database, path)
        assert again.units[Outcome.LOADED_BEFORE] == done.units[Outcome.LOADED] == -(-len(trades) // 4)
        assert contents(database) == before
    finally:
        server.drop(database)


def test_prices_are_polled_ones(database: Database, tmp_path: Path) -> None:
    register(database)
    path = write(tmp_path / "prices.csv", "ts,price", ["2026-03-01T00:00:00Z,1.5", "2026-03-01T02:00:30+02:00,2.5"])
    assert load_file(database, path, {"ETH": 2}).rows.stored == 2
    found = rows(database, "SELECT instrument_id, trade_id, price, size, side, kind::text FROM ticks ORDER BY ts")
    start = int(T0.timestamp() * 1000)
    assert found == [(2, start, 1.5, None, None, "p"), (2, start + 30_000, 2.5, None, None, "p")]


def test_bars_fill_in_but_never_replace_a_candle(database: Database, tmp_path: Path) -> None:
    register(database)
    lines = [f"{(T0 + n * 60 * SECOND).isoformat()},BTC,2,3,1,2.5,{n},{n or ''}" for n in range(6)]
    path = write(tmp_path / "bars.csv", "ts,symbol,open,high,low,close,volume,trades", lines)
    assert load_file(database, path).rows.stored == 6
    stored = rows(database, "SELECT ts, open, high, low, close, volume, trades FROM venue_candles ORDER BY ts")
    assert [Candle(*row) for row in stored] == [
        Candle(T0 + n * 60 * SECOND, 2.0, 3.0, 1.0, 2.5, float(n), n or None)  # type: ignore[arg-type]
        for n in range(6)
    ]
    assert rows(database, "SELECT count(DISTINCT minute) FROM dirty_minutes") == [(6,)]
    write(
        path, "ts,symbol,open,high,low,close,volume", [line.rsplit(",", 1)[0].replace("2.5", "2.25") for line in lines]
    )
    done = load_file(database, path)
    assert done.rows.refused == {"another candle is stored": 6}
    assert rows(database, "SELECT DISTINCT close FROM venue_candles") == [(2.5,)]


def test_what_is_not_valid_is_refused_by_reason(database: Database, tmp_path: Path) -> None:
    register(database)
    ts, later = T0.isoformat(), (NOW + SECOND).isoformat()
    bad = ["0,1,b,1", "-1,1,b,2", "nan,1,b,3", "1,inf,b,4", "1,0,b,5", "1,1,b,-6", f"1,1,b,{2**63}"]
    path = write(tmp_path / "t.csv", TRADES_HEAD, [*(f"{ts},BTC,{line}" for line in bad), f"{later},BTC,1,1,b,7"])
    done = load_file(database, path, span=(T0 - 9 * SECOND, NOW + timedelta(days=1)))
    assert done.rows.refused == {
        "price not above 0": 2, "not a finite number": 2, "size not above 0": 1, "id out of range": 2,
        "in the future": 1,
    }  # fmt: skip
    bars = ["0,1,0,1,1", "2,3,1,4,1", "2,3,1,2,-1", "2,nan,1,2,1"]
    lines = [f"{ts},{line}" for line in bars] + [f"{(T0 + SECOND).isoformat()},2,3,1,2,1"]
    path = write(tmp_path / "b.csv", "ts,open,high,low,close,volume", lines)
    done = load_file(database, path, {"BTC": 1})
    assert done.rows.refused == {
        "price not above 0": 1, "open or close outside of low to high": 1, "volume below 0": 1,
        "not a finite number": 1, "not the start of a minute": 1,
    }  # fmt: skip
    assert rows(database, "SELECT (SELECT count(*) FROM ticks), (SELECT count(*) FROM venue_candles)") == [(0, 0)]


@pytest.mark.parametrize("cut", [0, 9])
def test_a_compressed_file_is_read(database: Database, tmp_path: Path, cut: int) -> None:
    """And one that is cut off is not."""
    register(database)
    path = tmp_path / "prices.csv.gz"
    whole = gzip.compress(b"ts,price\n2026-03-01T00:00:00Z,1.5\n")
    path.write_bytes(whole[: len(whole) - cut])
    done = load_file(database, path, {"BTC": 1})
    assert (done.rows.stored, len(done.failures)) == ((0, 1) if cut else (1, 0))
    assert all(f"{path} cannot be read" in failure for failure in done.failures)


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfts,price\r\n2026-03-01T00:00:00Z,1.5\r\n",
        b'"ts","price"\n"2026-03-01T00:00:00Z","1.5"\n',
        b"ts, price\n2026-03-01T00:00:00Z, 1.5\n",
    ],
)
def test_what_other_programs_write_is_read(database: Database, tmp_path: Path, content: bytes) -> None:
    """A byte order mark, line ends of Windows, quotes, spaces after the commas."""
    register(database)
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    done = load_file(database, path, {"BTC": 1})
    assert (done.failures, done.rows.stored) == ([], 1)


GOOD = f"{T0.isoformat()},BTC,1.5,2,b,"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f"{T0.isoformat()},BTC,a lot,2,b,9", "line 7, column price: 'a lot' is no number"),
        (f"{T0.isoformat()},BTC,1_0,2,b,9", "line 7, column price: '1_0' is no number"),
        (f"{T0.isoformat()},BTC,,2,b,9", "line 7, column price: '' is no number"),
        ("yesterday,BTC,1,2,b,9", "line 7, column ts: 'yesterday' is no time; write it as"),
        ("2026-03-01T00:00:00,BTC,1,2,b,9", "line 7, column ts: '2026-03-01T00:00:00' has no time zone"),
        ("9" * 30 + ",BTC,1,2,b,9", "line 7, column ts"),
        ("1772323200,BTC,1,2,b,9", "line 7, column ts: '1772323200' are no milliseconds since 1970, such as"),
        ("1772323200000000,BTC,1,2,b,9", "line 7, column ts: '1772323200000000' are no milliseconds since 1970"),
        (f"{T0.isoformat()},BTC,1,2,up,9", "line 7, column side: 'up' is neither buy nor sell"),
        (f"{T0.isoformat()},BTC,1,2,b,1.5", "line 7, column trade_id: '1.5' is no whole number"),
        (f"{T0.isoformat()}, ,1,2,b,9", "line 7, column symbol: '' is no symbol"),
        (f"{T0.isoformat()},BTC,1", "line 7, column size: '' is no number"),
        (f"{T0.isoformat()},BTC,1,2,b,9,10", "Expected 6 fields in line 7, saw 7"),
        ("", "line 7, column ts: '' is no time"),
    ],
)
def test_a_bad_line_is_named_with_its_column(database: Database, tmp_path: Path, line: str, said: str) -> None:
    """The pieces before it are stored and not loaded again when it is mended; nothing of its own piece is."""
    register(database)
    lines = [GOOD + str(number) for number in range(9)]
    path = write(tmp_path / "t.csv", TRADES_HEAD, [*lines[:5], line, *lines[5:]])
    done = load_file(database, path)
    (failure,) = done.failures
    assert said in failure
    assert str(path) in failure
    assert "\n" not in failure
    assert rows(database, "SELECT count(*) <= 4 FROM ticks") == [(True,)]
    stored = done.units[Outcome.LOADED]
    write(path, TRADES_HEAD, lines)
    mended = load_file(database, path)
    assert mended.failures == []
    assert mended.units[Outcome.LOADED_BEFORE] == stored
    assert rows(database, "SELECT count(*) FROM ticks") == [(9,)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "No columns to parse"),
        (b"ts,symbol,price,size\n1,BTC,1,1\n", "line 1: no column side"),
        (b"ts,symbol,price,sise,side\n1,BTC,1,1,b\n", "line 1: no column size and an unknown column sise"),
        (b"when,price\n1,1\n", "line 1: no column ts and an unknown column when"),
        (b"ts,open,high,low\n1,1,1,1\n", "no column close and no column volume; bars have the columns"),
        (b"ts,price\n\xff\xfe,1\n", "can't decode byte"),
        (b"ts;price\n2026-03-01T00:00:00Z;1\n", "line 1: the columns are separated by ';'; separate them by commas"),
        (b"ts\tprice\n2026-03-01T00:00:00Z\t1\n", r"line 1: the columns are separated by '\t'; separate them by"),
    ],
)
def test_a_file_with_other_columns_is_refused(database: Database, tmp_path: Path, content: bytes, said: str) -> None:
    register(database)
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    (failure,) = load_file(database, path, {"BTC": 1}).failures
    assert said in failure
    assert str(path) in failure
    assert rows(database, "SELECT count(*) FROM history_loads") == [(0,)]


def test_a_piece_tells_its_lines_its_time_and_what_was_not_asked_for(tmp_path: Path) -> None:
    """Of the time only what is loaded: a line outside of it is refused."""
    moments = [T0 + number * timedelta(hours=1) for number in range(6)]
    lines = [f"{ts.isoformat()},{name},1" for ts, name in zip(moments, ["BTC", "doge"] * 3, strict=True)]
    path = write(tmp_path / "prices.csv", "ts,symbol,price", lines)
    request = FileRequest(path, HYPERLIQUID_PERPS, {"BTC": 1}, {}, moments[1], moments[5], NOW)
    first, second = file_units(request, 4)
    assert (first.name, second.name) == ("prices.csv, lines 2 to 5", "prices.csv, lines 6 to 7")
    assert (first.since, first.until) == (moments[1], moments[3] + timedelta(microseconds=1))
    assert (second.since, second.until) == (moments[4], moments[4] + timedelta(microseconds=1))
    assert first.passed_over == {"doge": 2}


def test_without_a_column_of_symbols_one_must_be_asked_for(database: Database, tmp_path: Path) -> None:
    register(database)
    path = write(tmp_path / "t.csv", "ts,price", ["2026-03-01T00:00:00Z,1.5"])
    with pytest.raises(StrandlineError, match="has no column symbol; ask for one symbol instead of 2"):
        load_file(database, path)


def test_a_day_that_was_moved_to_files_is_loaded_once_it_is_restored(database: Database, tmp_path: Path) -> None:
    register(database)
    prices = write(tmp_path / "prices.csv", "ts,price", ["2026-03-01T00:00:00Z,1.5", "2026-03-02T00:00:00Z,1.5"])
    bars = write(tmp_path / "bars.csv", "ts,open,high,low,close,volume", ["2026-03-01T00:00:00Z,2,2,2,2,2"])
    span = (T0, T0 + timedelta(days=9))
    for path, other_days in ((prices, 1), (bars, 0)):
        request = FileRequest(path, HYPERLIQUID_PERPS, {"BTC": 1}, {}, *span, NOW, in_files={(1, T0.date())})
        first, again = (load(database, file_units(request)) for _ in range(2))
        assert (first.rows.stored, again.rows.stored) == (other_days, 0)
        assert again.units[Outcome.LOADED] == 1
        assert again.rows.refused == {"of a day that maintenance has moved to files: restore it first": 1}
        assert load(database, file_units(request._replace(in_files=()))).rows.stored == 1
