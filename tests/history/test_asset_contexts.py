"""Asset contexts of an archive: every number as it is written, once, whatever is repeated; faults by line."""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import lz4.frame  # type: ignore[import-untyped]
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strandline.history.asset_contexts import context_units
from strandline.history.backfill import Backfill, Outcome
from strandline.venues.hyperliquid.archive import HyperliquidArchive
from tests.conftest import Database, Server
from tests.history.loading import INSTRUMENTS, NOW, load, register, rows

DAY = datetime(2025, 8, 1, tzinfo=UTC)
ONE = timedelta(days=1)
MINUTE = timedelta(minutes=1)
HEAD = (
    "time", "coin", "funding", "open_interest", "prev_day_px", "day_ntl_vlm", "premium", "oracle_px", "mark_px",
    "mid_px", "impact_bid_px", "impact_ask_px",
)  # fmt: skip
STORED = "instrument_id, ts, funding_rate, open_interest, mark_price, oracle_price, mid_price, premium"


def line(
    ts: datetime = DAY, coin: str = "BTC", funding: object = "0.0000125", interest: object = "100.5",
    premium: object = "-0.0002", oracle: object = "10.5", mark: object = "10.25", mid: object = "10.3", zone: str = "Z",
) -> list[str]:  # fmt: skip
    """A line of a file; `zone` as in newer and in older files."""
    moment = f"{ts:%Y-%m-%dT%H:%M:%S}Z" if zone else f"{ts:%Y-%m-%d %H:%M:%S}"
    return list(map(str, (moment, coin, funding, interest, "10", "1e9", premium, oracle, mark, mid, "", "")))


def write(folder: Path, lines: Iterable[Sequence[str]], day: datetime = DAY, head: Sequence[str] = HEAD) -> Path:
    """Write the file of a day."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([head, *lines])
    path = folder / "asset_ctxs" / f"{day:%Y%m%d}.csv.lz4"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(lz4.frame.compress(text.getvalue().encode()))
    return path


def load_days(database: Database, folder: Path, span: tuple[datetime, datetime] = (DAY, DAY + ONE)) -> Backfill:
    """Load what there is of this time."""
    return load(database, context_units(HyperliquidArchive(), folder, INSTRUMENTS, *span, NOW).units)


def stored(database: Database) -> list[tuple[object, ...]]:
    """The table."""
    return rows(database, f"SELECT {STORED} FROM asset_contexts ORDER BY ts, instrument_id")


NUMBERS = st.floats(1e-9, 1e12)
SIGNED = st.floats(-1, 1)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    contexts=st.lists(
        st.tuples(
            st.integers(0, 1439).map(lambda n: DAY + n * MINUTE), st.sampled_from(["BTC", "ETH", "DOGE"]), SIGNED,
            st.floats(0, 1e12), NUMBERS, NUMBERS, st.none() | NUMBERS, st.none() | SIGNED,
        ),
        max_size=12,
        unique_by=lambda one: one[:2],
    ),
    zone=st.sampled_from(["Z", ""]),
)  # fmt: skip
def test_every_number_is_stored_as_it_is_written(
    server: Server, template: str, tmp_path: Path, contexts: list[tuple[object, ...]], zone: str
) -> None:
    """Repeated, it changes nothing."""

    def or_empty(value: object) -> str:
        return "" if value is None else repr(value)

    lines = [
        line(ts, coin, repr(f), repr(i), or_empty(premium), repr(o), repr(m), or_empty(mid), zone)  # type: ignore[arg-type]
        for ts, coin, f, i, m, o, mid, premium in contexts
    ]
    write(tmp_path, lines)
    database = server.create(template)
    try:
        register(database)
        done = load_days(database, tmp_path)
        expected = [(INSTRUMENTS[one[1]], one[0], *one[2:]) for one in contexts if one[1] in INSTRUMENTS]  # type: ignore[index]
        assert stored(database) == sorted(expected, key=lambda one: (one[1], one[0]))
        assert (done.failures, done.rows.stored) == ([], len(expected))
        assert load_days(database, tmp_path).units[Outcome.LOADED_BEFORE] == 1
    finally:
        server.drop(database)


def test_days_in_parts_and_again_end_the_same(database: Database, tmp_path: Path) -> None:
    register(database)
    for day in range(3):
        write(tmp_path, [line(DAY + day * ONE + n * 60 * MINUTE) for n in range(24)], DAY + day * ONE)
    for span in ((DAY + ONE, DAY + 2 * ONE), (DAY + 30 * 60 * MINUTE, DAY + 3 * ONE), (DAY, DAY + 3 * ONE)):
        load_days(database, tmp_path, span)
    assert len(stored(database)) == 72
    (loads,) = rows(database, "SELECT count(*), sum(stored) FROM history_loads")
    assert loads[1] == 72
    assert rows(database, "SELECT count(*) FROM dirty_minutes") == [(0,)]


def test_what_is_not_valid_is_refused_by_reason(database: Database, tmp_path: Path) -> None:
    register(database)
    write(
        tmp_path,
        [
            line(mark="0"), line(DAY + MINUTE, oracle="-1"), line(DAY + 2 * MINUTE, funding="nan"),
            line(DAY + 3 * MINUTE, interest="-1"), line(DAY - MINUTE), line(DAY + ONE), line(DAY + 4 * MINUTE),
            line(DAY + 4 * MINUTE),
        ],
    )  # fmt: skip
    done = load_days(database, tmp_path)
    assert done.rows.refused == {
        "price not above 0": 2, "not a finite number": 1, "open interest below 0": 1, "outside the time asked for": 2,
    }  # fmt: skip
    assert done.rows.stored == 1
    write(tmp_path, [line(DAY + 4 * MINUTE, funding="0.5"), line(DAY + 5 * MINUTE)])
    assert load_days(database, tmp_path).rows.refused == {"another context is stored": 1}
    assert [row[2] for row in stored(database)] == [0.0000125, 0.0000125]


@pytest.mark.parametrize(
    ("lines", "head", "said"),
    [
        ([line(), line(funding="a lot")], HEAD, "line 3: no record of asset_ctxs: could not convert string to float"),
        ([line(), line()[:4]], HEAD, "line 3: no record of asset_ctxs"),
        ([["yesterday", *line()[1:]]], HEAD, "line 2: no record of asset_ctxs: Invalid isoformat string"),
        ([], HEAD[:7], "line 1: no column mark_px, oracle_px, mid_px, as asset_ctxs has them"),
        ([], (), "line 1: no column time, coin"),
    ],
)
def test_a_bad_line_is_named_and_nothing_of_its_day_is_stored(
    database: Database, tmp_path: Path, lines: list[list[str]], head: Sequence[str], said: str
) -> None:
    register(database)
    path = write(tmp_path, lines, head=head)
    write(tmp_path, [line(DAY + ONE)], DAY + ONE)
    done = load_days(database, tmp_path, (DAY, DAY + 2 * ONE))
    (failure,) = done.failures
    assert f"{path}, {said}" in failure
    assert len(stored(database)) == 1


def test_a_file_that_is_cut_off_is_refused(database: Database, tmp_path: Path) -> None:
    register(database)
    path = write(tmp_path, [line(DAY + n * MINUTE) for n in range(1440)])
    path.write_bytes(path.read_bytes()[:-30])
    (failure,) = load_days(database, tmp_path).failures
    assert f"{path} is damaged or cut off after line" in failure
    assert stored(database) == []


def test_files_are_found_in_the_bucket_s_folder_and_in_their_own(tmp_path: Path) -> None:
    """Compressed or not; days that have none are missing."""
    path = write(tmp_path, [line()])
    plain = path.with_name("20250803.csv")
    plain.write_text("")
    archive = HyperliquidArchive()
    for folder in (tmp_path, tmp_path / "asset_ctxs"):
        plan = context_units(archive, folder, INSTRUMENTS, DAY, DAY + 3 * ONE, NOW)
        assert [unit.name for unit in plan.units] == ["asset_ctxs/20250801", "asset_ctxs/20250803"]
        assert plan.missing == [DAY + ONE]
