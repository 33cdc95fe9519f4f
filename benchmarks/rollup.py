"""The rollup of five minutes after a long and after a short history."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Final

from sqlalchemy import URL, Engine, text

from benchmarks.benchmark import Benchmark, BenchmarkError, Part, Result
from benchmarks.database import Server, server, session
from benchmarks.progress import Progress
from benchmarks.rounds import Rounds, in_turns
from strandline.bars import roll_up
from strandline.store.connect import connect
from strandline.store.roles import Role

_INSTRUMENTS: Final = 20
_SHORT_DAYS: Final = 1
_TIMES: Final = 100
_ROUNDS: Final = 9
_TICKS_A_MINUTE: Final = 200
_BEGIN: Final = datetime(2026, 6, 1, tzinfo=UTC)
"""The history ends here, and the measured minutes begin."""
_CYCLE: Final = timedelta(minutes=5)

# Each minute of the past has a tick and a bar of a minute, each longer timeframe its bars.
_HISTORY: Final = text("""
    INSERT INTO instruments (token_chain, book_id, token_contract, symbol, lot, min_notional)
    SELECT 'hyperliquid', 'perps', 'C' || n, 'C' || n, 1, 1 FROM generate_series(1, :instruments) AS n;
    INSERT INTO ticks (ts, instrument_id, trade_id, price, size, side, kind, source)
    SELECT minute, n, extract(epoch FROM minute)::bigint, 100 + n, 1, 'b', 't', 's'
    FROM generate_series(:first, :last - interval '1 minute', interval '1 minute') AS minute,
         generate_series(1, :instruments) AS n;
    INSERT INTO bars (instrument_id, timeframe, ts, known_seq, open, high, low, close, volume, quote_volume, vwap,
                      ticks, source, outage, dropped, repaired, gap_detected, gap_magnitude_pct)
    SELECT n, timeframe::timeframe, ts, 1, 100 + n, 100 + n, 100 + n, 100 + n, 1, 100 + n, 100 + n, 1, 's', false, 0,
           false, false, 0
    FROM (VALUES ('1m', interval '1 minute'), ('5m', '5 minutes'), ('15m', '15 minutes'), ('1h', '1 hour'),
                 ('4h', '4 hours'), ('1d', '1 day')) AS frames (timeframe, length),
         generate_series(:first, :last - length, length) AS ts,
         generate_series(1, :instruments) AS n;
    ANALYZE
""")
_ARRIVE: Final = text("""
    INSERT INTO ticks (ts, instrument_id, trade_id, price, size, side, kind, source)
    SELECT :from + interval '1 minute' * k / :each, n, k, 100 + n + k % 7, 1, 'b', 't', 's'
    FROM generate_series(0, 5 * :each - 1) AS k, generate_series(1, :instruments) AS n;
    INSERT INTO dirty_minutes
    SELECT n, :from + interval '1 minute' * k FROM generate_series(0, 4) AS k, generate_series(1, :instruments) AS n
""")


class _Side:
    """A database with history, on which one cycle follows the other."""

    def __init__(self, url: URL, engine: Engine, days: int) -> None:
        self._url = url
        self._engine = engine
        self._until = _BEGIN
        begin = _BEGIN - timedelta(days=days)
        with session(url) as connection:
            connection.execute(
                text("SELECT ensure_tick_partitions(:first, :last)"), {"first": begin.date(), "last": _BEGIN.date()}
            )
            connection.execute(_HISTORY, {"first": begin, "last": _BEGIN, "instruments": _INSTRUMENTS})

    def cycle(self) -> float:
        """Let five minutes of ticks arrive, and roll them up; returns the seconds that this takes."""
        with session(self._url) as connection:
            arrived = {"from": self._until, "each": _TICKS_A_MINUTE, "instruments": _INSTRUMENTS}
            connection.execute(_ARRIVE, arrived)
        self._until += _CYCLE
        began = time.perf_counter()
        done = roll_up(self._engine, self._until)
        seconds = time.perf_counter() - began
        if done.minutes != 5 * _INSTRUMENTS:
            raise BenchmarkError(f"{done.minutes} minutes were rolled up")
        return seconds


@contextmanager
def _side(postgres: Server, name: str, days: int) -> Iterator[_Side]:
    with postgres.database(name) as url:
        engine = connect(url, Role.APP)
        try:
            yield _Side(url, engine, days)
        finally:
            engine.dispose()


def _run(progress: Progress) -> Result:
    with server() as postgres, ExitStack() as sides:
        progress.doing("making the short history")
        short = sides.enter_context(_side(postgres, "short", _SHORT_DAYS))
        progress.doing("making the long history")
        long = sides.enter_context(_side(postgres, "long", _TIMES * _SHORT_DAYS))
        progress.doing("rolling up")
        for side in (short, long):
            side.cycle()  # the first one fills the caches
        rounds = Rounds([], [])
        for ours, theirs in in_turns(long.cycle, short.cycle, _ROUNDS):
            rounds.ours.append(ours)
            rounds.theirs.append(theirs)
            progress.say(f"round {len(rounds.ours)} of {_ROUNDS}: {ours * 1e3:.1f} ms and {theirs * 1e3:.1f} ms")
        version = postgres.version
    return Result(
        rounds.ratio,
        version,
        {
            "long_ms": Part(median(rounds.ours) * 1e3, f"ms with {_TIMES * _SHORT_DAYS} days of history"),
            "short_ms": Part(median(rounds.theirs) * 1e3, f"ms with {_SHORT_DAYS} day of history"),
            "instruments": Part(_INSTRUMENTS, "instruments"),
            "ticks": Part(5 * _TICKS_A_MINUTE * _INSTRUMENTS, "new ticks in each round"),
        },
    )


BENCHMARK: Final = Benchmark(
    title="The rollup and the length of history",
    prose="""\
Every five minutes the rollup builds the bars of all timeframes whose minutes have new ticks. It must take as long
after years as it takes on the first days. Both databases have the same instruments and get the same ticks; one has a
hundred times the history.""",
    ratio=f"time with {_TIMES} times the history ÷ time with a day of it",
    target="≤ 1.2",
    run=_run,
)
