"""The two sides of a round: the sidecar, and raw COPY of the same rows."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import URL, text

from benchmarks.benchmark import BenchmarkError
from benchmarks.database import Server, session
from benchmarks.ingest.processes import CpuClock, VenueProcess, backends, sidecar, wait_for_ticks
from benchmarks.ingest.raw_copy import copy
from benchmarks.ingest.trades import COINS, copy_batches, make_trades

BATCH_ROWS: Final = 5_000
"""As the sidecar's."""


class Measured(NamedTuple):
    """Rows a second, and microseconds of CPU a row: the client's, and the database server's."""

    rows_per_second: float
    client_us: float
    server_us: float


def stream(postgres: Server, source: VenueProcess, rows: int, per_frame: int) -> Measured:
    """Send all frames to a new sidecar on a new database."""
    with prepared(postgres) as url, sidecar(url, source.url, len(COINS)) as process:
        until_ms = now_ms()
        source.ask("build", rows=rows, until_ms=until_ms, per_frame=per_frame)
        # Batches are committed side by side, and the last ones tell when all are there.
        last_ms = [trade.time_ms for trade in make_trades(rows, until_ms)[-4 * BATCH_ROWS :]]
        of_sidecar, of_server = CpuClock([process]), CpuClock(backends(url))
        began = source.ask("flood")["began"]
        from_ms = last_ms[0] + 1
        seconds = wait_for_ticks(url, from_ms, sum(ms >= from_ms for ms in last_ms)) - began
        used, server_used = of_sidecar.seconds(), of_server.seconds()
        require(url, rows)
    return Measured(rows / seconds, used / rows * 1e6, server_used / rows * 1e6)


def copy_raw(postgres: Server, rows: int) -> Measured:
    """Copy the rows that the sidecar would store."""
    with prepared(postgres) as url:
        with session(url) as connection:
            found = connection.execute(text("SELECT token_contract, instrument_id FROM instruments"))
            numbers = {row.token_contract: row.instrument_id for row in found}
        copied = copy(url, list(copy_batches(make_trades(rows, now_ms()), numbers, BATCH_ROWS)))
        require(url, rows)
    return Measured(rows / copied.seconds, copied.client / rows * 1e6, copied.server / rows * 1e6)


@contextmanager
def prepared(postgres: Server) -> Iterator[URL]:
    """A database with partitions and instruments, so that both sides begin with the first row."""
    today = datetime.now(UTC).date()
    with postgres.database("round") as url:
        with session(url) as connection:
            connection.execute(
                text("SELECT ensure_tick_partitions(:first, :last)"),
                {"first": today - timedelta(days=1), "last": today + timedelta(days=1)},
            )
            connection.execute(
                text("""
                    INSERT INTO instruments (token_chain, book_id, token_contract, symbol, lot, min_notional)
                    SELECT 'hyperliquid', 'perps', coin, coin, 0.00001, 10 FROM unnest(:coins) AS coin
                """),
                {"coins": list(COINS)},
            )
        yield url


def require(url: URL, rows: int) -> None:
    """Fail unless everything is there, and nothing else happened."""
    with session(url) as connection:
        found, quarantined, dropped = connection.execute(
            text("""
                SELECT (SELECT count(*) FROM ticks), (SELECT count(*) FROM quarantined_messages),
                       (SELECT count(*) FROM dropped_ticks)
            """)
        ).one()
    if (found, quarantined, dropped) != (rows, 0, 0):
        raise BenchmarkError(f"of {rows} ticks {found} are stored; {quarantined} quarantined, {dropped} dropped")


def now_ms() -> int:
    """The time in the venue's unit."""
    return time.time_ns() // 1_000_000
