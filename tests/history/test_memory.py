"""A file that is ten times as large takes no more memory."""

import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from strandline.history import parquet_file
from strandline.history.file_units import FileRequest, file_units
from strandline.venues.hyperliquid import archive
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from tests.conftest import Database
from tests.history.archives import HOUR, Trade, write_trades
from tests.history.loading import NOW, load, load_archive, register, rows

T0 = datetime(2025, 8, 1, tzinfo=UTC)
SMALL = 2_000


def peak(work: Callable[[], object]) -> int:
    """The most memory that Python held at once."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def at(hour: int, number: int, count: int) -> datetime:
    """So many moments in an hour."""
    return T0 + hour * HOUR + timedelta(milliseconds=number * 3_600_000 // count)


@pytest.mark.slow
def test_of_an_archive(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "_LINES_AT_ONCE", 500)
    register(database)
    sizes = {0: SMALL // 4, 3: SMALL, 6: 10 * SMALL}
    for hour, count in sizes.items():
        trades = [Trade(at(hour, number, count), number) for number in range(count)]
        write_trades(tmp_path, "node_fills", {T0 + hour * HOUR: trades})
    peaks = {
        hour: peak(partial(load_archive, database, tmp_path, T0 + hour * HOUR, T0 + (hour + 1) * HOUR))
        for hour in sizes
    }
    assert rows(database, "SELECT count(*) FROM ticks") == [(sum(sizes.values()),)]
    # The first one imports what is needed.
    assert peaks[6] < 1.5 * peaks[3]


@pytest.mark.slow
def test_of_a_csv_file(database: Database, tmp_path: Path) -> None:
    register(database)
    peaks = []
    for hour, count in enumerate((SMALL // 4, SMALL, 10 * SMALL)):
        path = tmp_path / f"{hour}.csv"
        lines = [f"{at(hour, number, count).isoformat()},{number + 1}.5,0.25,buy,{number}" for number in range(count)]
        path.write_text("\n".join(["ts,price,size,side,trade_id", *lines]))
        request = FileRequest(path, HYPERLIQUID_PERPS, {"BTC": 1}, {}, T0, NOW, NOW)
        peaks.append(peak(partial(load, database, file_units(request, 500))))
    assert rows(database, "SELECT count(*) FROM ticks") == [(11 * SMALL + SMALL // 4,)]
    assert peaks[2] < 1.5 * peaks[1]


@pytest.mark.slow
def test_of_a_parquet_file_with_one_large_row_group(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Arrow holds outside of Python counts, too."""
    monkeypatch.setattr(parquet_file, "_BUFFER_BYTES", 4096)
    register(database)
    peaks, held = [], []
    usual, counted = pa.default_memory_pool(), pa.system_memory_pool()
    for hour, count in enumerate((SMALL // 4, SMALL, 10 * SMALL)):
        path = tmp_path / f"{hour}.parquet"
        columns = {
            "ts": pa.array([at(hour, number, count) for number in range(count)], pa.timestamp("us", "UTC")),
            "price": [number + 1.5 for number in range(count)],
            "size": [number / 7 + 1 for number in range(count)],
            "side": ["buy"] * count,
            "trade_id": list(range(count)),
        }
        pq.write_table(pa.table(columns), path, row_group_size=count, use_dictionary=False, data_page_size=4096)
        request = FileRequest(path, HYPERLIQUID_PERPS, {"BTC": 1}, {}, T0, NOW, NOW)
        pa.set_memory_pool(counted)
        peaks.append(peak(partial(load, database, file_units(request, 500))))
        held.append(counted.max_memory())
        pa.set_memory_pool(usual)
    assert rows(database, "SELECT count(*) FROM ticks") == [(11 * SMALL + SMALL // 4,)]
    assert peaks[2] < 3 * peaks[1]
    assert held[2] < 3 * held[1]
