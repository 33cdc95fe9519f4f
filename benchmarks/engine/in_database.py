"""One new bar of a thousand series with everything read from and written to Postgres."""

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
from sqlalchemy import URL, Engine, text

from benchmarks.benchmark import BenchmarkError
from benchmarks.database import Server, session
from benchmarks.engine.series import FIRST, HISTORY, SERIES, TIMEFRAME, bars_of, states_after, walk_of, walks
from benchmarks.engine.talib_side import indicators
from strandline.cycle.engine_step import run_engine
from strandline.engine import ENGINE_VERSION, Bars
from strandline.engine import Engine as SeriesEngine
from strandline.model.strategy import Strategy
from strandline.store.connect import connect
from strandline.store.roles import Role

_BEGIN: Final = datetime.fromtimestamp(FIRST // 1_000_000, UTC)
_INSTRUMENTS: Final = text("""
    INSERT INTO instruments (token_chain, book_id, token_contract, symbol, lot, min_notional)
    SELECT 'hyperliquid', 'perps', 'C' || n, 'C' || n, 1, 1 FROM generate_series(1, :series) AS n;
    INSERT INTO positions (position_id, token_chain, book_id, token_contract, timeframe, weight)
    SELECT gen_random_uuid(), token_chain, book_id, token_contract, :timeframe, 1 FROM instruments
""")
_STATES: Final = text("""
    INSERT INTO engine_states (instrument_id, timeframe, generation, adopted, engine_version, bar_count, ready, bar_ts,
                               bar_revision, anchor, known_seq, state_bytes)
    SELECT n, CAST(:timeframe AS timeframe), 1, true, :version, :bars, true, :newest, 0, :first, 1,
           (CAST(:states AS bytea[]))[n]
    FROM generate_series(1, :series) AS n;
    ANALYZE
""")
_BARS: Final = text("""
    INSERT INTO bars (instrument_id, timeframe, ts, known_seq, open, high, low, close, volume, ticks, source)
    SELECT n, CAST(:timeframe AS timeframe), ts, 1, open, high, low, close, volume, 1, 's'
    FROM unnest(CAST(:ts AS timestamptz[]), CAST(:open AS double precision[]), CAST(:high AS double precision[]),
                CAST(:low AS double precision[]), CAST(:close AS double precision[]),
                CAST(:volume AS double precision[])) AS bar (ts, open, high, low, close, volume),
         unnest(CAST(:instruments AS integer[])) AS n
    ORDER BY ts, n
""")
_READ: Final = """
    COPY (SELECT high, low, close, volume FROM bars WHERE timeframe = %s AND ts >= %s ORDER BY instrument_id, ts)
    TO STDOUT (FORMAT binary)
"""

# Of each field its length comes before its value; a row has its number of fields before all.
_FIELDS: Final = 4
_ROW: Final = np.dtype([("fields", ">i2"), ("values", [("bytes", ">i4"), ("value", ">f8")], (_FIELDS,))])
_HEAD, _END = 19, 2


class Sides:
    """A database in which every series has its history and its state, to which one bar after the other is added."""

    def __init__(self, url: URL, app: Engine, strategy: Strategy, rounds: int) -> None:
        self._url, self._app, self._strategy = url, app, strategy
        self._walks = walks(HISTORY + rounds)
        self._stepped = HISTORY - 1
        engine = SeriesEngine(strategy)
        states = states_after(engine, self._walks, self._stepped)
        with session(url) as connection:
            connection.execute(_INSTRUMENTS, {"series": SERIES, "timeframe": TIMEFRAME.value})
            self._insert_bars(0, self._stepped)
            connection.execute(
                _STATES,
                {
                    "series": SERIES,
                    "timeframe": TIMEFRAME.value,
                    "version": ENGINE_VERSION,
                    "bars": self._stepped,
                    "newest": _start(self._stepped - 1),
                    "first": _BEGIN,
                    "states": [states[walk_of(place)] for place in range(SERIES)],
                },
            )

    def ours(self) -> float:
        """Let one new bar of each series arrive; the seconds of the engine's step of the cycle."""
        self._insert_bars(self._stepped, self._stepped + 1)
        self._stepped += 1
        began = time.perf_counter()
        run = run_engine(self._app, self._strategy, _start(self._stepped))
        seconds = time.perf_counter() - began
        if (run.series, run.bars, run.signals) != (SERIES, SERIES, SERIES):
            raise BenchmarkError(f"not every series was stepped once: {run}")
        return seconds

    def theirs(self) -> float:
        """The seconds of reading the newest thousand bars of each series by binary COPY, and of TA-Lib over them."""
        began = time.perf_counter()
        columns = self._read(_start(self._stepped - HISTORY))
        for place in range(SERIES):
            high, low, close, _ = columns[:, place * HISTORY : (place + 1) * HISTORY]
            indicators(high, low, close)
        return time.perf_counter() - began

    def _read(self, since: datetime) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        """Columns of high, low, close and volume, series after series."""
        received = io.BytesIO()
        connection = self._app.raw_connection()
        try:
            cursor: Any = connection.cursor()
            cursor.copy_expert(cursor.mogrify(_READ, (TIMEFRAME.value, since)), received)
        finally:
            connection.close()
        rows = np.frombuffer(received.getbuffer()[_HEAD:-_END], _ROW)
        if len(rows) != SERIES * HISTORY:
            raise BenchmarkError(f"{len(rows)} bars were read")
        return np.ascontiguousarray(rows["values"]["value"].T, "f8")

    def _insert_bars(self, first: int, last: int) -> None:
        with session(self._url) as connection:
            for number in range(len(self._walks)):
                connection.execute(_BARS, _parameters(bars_of(self._walks, [number], first, last), number))


@contextmanager
def sides(postgres: Server, strategy: Strategy, rounds: int) -> Iterator[Sides]:
    """Make the database; it serves so many rounds."""
    with postgres.database("engine") as url:
        app = connect(url, Role.APP)
        try:
            yield Sides(url, app, strategy, rounds)
        finally:
            app.dispose()


def _parameters(bars: Bars, number: int) -> dict[str, object]:
    values = {name: getattr(bars, name).tolist() for name in ("open", "high", "low", "close", "volume")}
    instruments = [place + 1 for place in range(SERIES) if walk_of(place) == number]
    times = [_BEGIN + timedelta(microseconds=int(ts) - FIRST) for ts in bars.ts]
    return values | {"ts": times, "timeframe": TIMEFRAME.value, "instruments": instruments}


def _start(number: int) -> datetime:
    """The start of a bar, counted from 0."""
    return _BEGIN + number * TIMEFRAME.length
