"""Loads recorded prices of tokens whose venue keeps no history."""

import io
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Engine

from strandline.history.ticks import fault_of_numbers
from strandline.history.units import Loaded

_STAGE: Final = "CREATE TEMP TABLE staged_prices (ts timestamptz, price double precision) ON COMMIT DROP"
_STORE: Final = """
    WITH stored AS (
      INSERT INTO ticks (ts, instrument_id, trade_id, price, kind, source)
      SELECT ts, %(instrument_id)s, floor(extract(epoch FROM ts) * 1000), price, 'p', 'a' FROM staged_prices
      ON CONFLICT DO NOTHING RETURNING instrument_id, ts
    ), marked AS (
      INSERT INTO dirty_minutes SELECT DISTINCT instrument_id, date_trunc('minute', ts) FROM stored
    )
    SELECT count(*) FROM stored
    """


def load_prices(engine: Engine, instrument_id: int, prices: Iterable[tuple[datetime, float]]) -> Loaded:
    """Store them as polled prices from an archive, and mark their minutes for the rollup.

    Those that cannot be are refused. The id of a price is its time in milliseconds, as if it had been polled then.
    Repeating it changes nothing.
    """
    recorded = io.StringIO()
    days = set()
    loaded = Loaded()
    for ts, price in prices:
        if fault := fault_of_numbers(price, None):
            loaded.refused[fault] += 1
            continue
        loaded.found += 1
        recorded.write(f"{ts.isoformat()}\t{price!r}\n")
        days.add(ts.astimezone(UTC).date())
    if not days:
        return loaded
    recorded.seek(0)
    with engine.begin() as connection:
        cursor: Any = connection.connection.cursor()
        cursor.execute("SELECT ensure_tick_partitions(%s, %s)", (min(days), max(days)))
        cursor.execute(_STAGE)
        cursor.copy_expert("COPY staged_prices FROM STDIN", recorded)
        cursor.execute(_STORE, {"instrument_id": instrument_id})
        (loaded.stored,) = cursor.fetchone()
    return loaded
