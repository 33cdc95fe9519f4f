"""Begins series anew: the engine then steps through their whole history again."""

from collections.abc import Sequence

from sqlalchemy import Connection, text

from strandline.engine import ENGINE_VERSION, Series


def begin_generations(connection: Connection, series: Sequence[Series], state: bytes) -> None:
    """Replace the state of each series, which the caller has locked, by an empty one of the next generation."""
    if not series:
        return
    rows = [
        {
            "instrument": one.instrument_id,
            "timeframe": one.timeframe.value,
            "generation": one.generation,
            "version": ENGINE_VERSION,
            "state": state,
        }
        for one in series
    ]
    connection.execute(
        text("""
        UPDATE engine_states SET adopted = false
        WHERE (instrument_id, timeframe, generation) = (:instrument, CAST(:timeframe AS timeframe), :generation)
        """),
        rows,
    )
    connection.execute(
        text("""
        INSERT INTO engine_states
          (instrument_id, timeframe, generation, adopted, engine_version, bar_count, bar_ts, bar_revision, state_bytes)
        VALUES (:instrument, CAST(:timeframe AS timeframe), :generation + 1, true, :version, 0, 'epoch', 0, :state)
        """),
        rows,
    )
