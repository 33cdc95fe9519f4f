"""A series in a database with its signals, as cycles would have made it: a decline, a base, an uptrend, and its end."""

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from strandline.cycle.engine_step import run_engine
from strandline.store.roles import Role
from tests.conftest import Database
from tests.engine import samples
from tests.store.rows import insert

BARS: Final = samples.trend_bars(11, volatility=2.5)
START: Final = datetime.fromtimestamp(samples.START_MS / 1000, UTC)
END: Final = START + timedelta(minutes=len(BARS.ts))
_STEP: Final = 100


def insert_series(connection: Connection) -> None:
    """The instrument SOL, its row of 1m, and its bars."""
    insert(connection, "instruments", token_contract="SOL", symbol="SOL")
    insert(connection, "positions", token_contract="SOL", timeframe="1m")
    columns = {name: column.tolist() for name, column in BARS._asdict().items()}
    connection.execute(
        text("""
        INSERT INTO bars
          (instrument_id, timeframe, ts, revision, known_seq, open, high, low, close, volume, ticks, source)
        SELECT 1, '1m', to_timestamp(ts / 1e6), 0, 1, open, high, low, close, volume, 1, 's' FROM unnest(
          CAST(:ts AS bigint[]), CAST(:open AS double precision[]), CAST(:high AS double precision[]),
          CAST(:low AS double precision[]), CAST(:close AS double precision[]), CAST(:volume AS double precision[])
        ) AS bar (ts, open, high, low, close, volume)
        """),
        columns,
    )


def step_series(database: Database) -> None:
    """Step it in cycles, so that the signals of all bars are stored."""
    app = database.engine(Role.APP)
    for count in range(_STEP, len(BARS.ts) + _STEP, _STEP):
        run_engine(app, samples.STRATEGY, min(START + timedelta(minutes=count), END))
    app.dispose()
