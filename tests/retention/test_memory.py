"""A day that is eight times as large takes no more memory, neither to write nor to read."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pytest

from strandline.retention.tick_bytes import TICK, Ticks
from strandline.retention.tick_file import GROUP_ROWS, read_ticks, write_ticks

SMALL = 4 * GROUP_ROWS


def minutes(rows: int, allocated: list[int]) -> Iterator[Ticks]:
    """Ticks that do not compress, and what pyarrow holds each time when the next are asked for."""
    numbers = np.random.default_rng(1)
    for start in range(0, rows, GROUP_ROWS // 2):
        ticks = np.zeros(GROUP_ROWS // 2, TICK)
        ticks["ts"] = start + np.arange(len(ticks))
        ticks["price"], ticks["size"] = numbers.random(len(ticks)), numbers.random(len(ticks))
        ticks["has_size"], ticks["side"], ticks["kind"], ticks["source"] = b"+", b"b", b"t", b"s"
        yield ticks
        allocated.append(pa.total_allocated_bytes())


@pytest.mark.slow
def test_a_larger_day_takes_no_more(tmp_path: Path) -> None:
    written, read = [], []
    for rows in (SMALL, 8 * SMALL):
        while_writing: list[int] = []
        write_ticks(tmp_path / str(rows), minutes(rows, while_writing), {})
        written.append(max(while_writing))
        read.append(max(pa.total_allocated_bytes() for _ in read_ticks(tmp_path / str(rows))))
    assert written[1] < 1.5 * written[0]
    assert read[1] < 1.5 * read[0]
