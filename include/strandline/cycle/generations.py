"""The generations of a series: with another beginning the engine steps through its whole history again."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, text

from strandline.engine import ENGINE_VERSION, Series
from strandline.model.timeframe import Timeframe

_INSERT = """
    INSERT INTO engine_states
      (instrument_id, timeframe, generation, adopted, engine_version, bar_count, bar_ts, bar_revision, state_bytes)
    SELECT instrument_id, timeframe, max(generation) + 1, :adopted, :version, 0, 'epoch', 0, :state FROM engine_states
    WHERE (instrument_id, timeframe) = (:instrument, CAST(:timeframe AS timeframe))
    GROUP BY instrument_id, timeframe
"""


def begin_generations(connection: Connection, series: Sequence[Series], state: bytes) -> None:
    """Replace the state of each series, which the caller has locked, by an empty one of the next generation."""
    _set_adopted(connection, series, adopted=False)
    _insert(connection, series, state, adopted=True)


def begin_late_generations(connection: Connection, state: bytes, forgotten: Sequence[Series]) -> bool:
    """Begin the next generation of each series whose history now begins earlier, or whose state cannot be read or has
    forgotten what was before a revised bar. Returns whether there is one.

    The caller has locked all series. History never re-seeds a series that may trade: it goes on until the new
    generation is adopted. A state of another engine version, or of other indicators, cannot go on.
    """
    rows = connection.execute(
        text("""
        SELECT a.instrument_id, a.timeframe::text, a.generation,
               a.ready AND substring(a.state_bytes FOR 8) = substring(CAST(:state AS bytea) FOR 8) AS goes_on
        FROM engine_states a
        CROSS JOIN LATERAL (
          SELECT * FROM engine_states n WHERE (n.instrument_id, n.timeframe) = (a.instrument_id, a.timeframe)
          ORDER BY generation DESC LIMIT 1
        ) AS newest
        WHERE a.adopted AND (
          substring(newest.state_bytes FOR 8) <> substring(CAST(:state AS bytea) FOR 8)
          OR EXISTS (SELECT FROM bars b
                     WHERE b.instrument_id = a.instrument_id AND b.timeframe = a.timeframe AND b.ts < newest.anchor)
          OR (newest.instrument_id, newest.timeframe, newest.generation) IN (
            SELECT * FROM unnest(CAST(:instruments AS integer[]), CAST(:timeframes AS timeframe[]),
                                 CAST(:generations AS integer[]))))
        ORDER BY a.instrument_id, a.timeframe
        """),
        {
            "state": state,
            "instruments": [one.instrument_id for one in forgotten],
            "timeframes": [one.timeframe.value for one in forgotten],
            "generations": [one.generation for one in forgotten],
        },
    ).all()
    begin_generations(connection, [_series(row) for row in rows if not row.goes_on], state)
    _insert(connection, [_series(row) for row in rows if row.goes_on], state, adopted=False)
    return bool(rows)


def adopt_generations(connection: Connection) -> None:
    """Adopt each new generation that has caught up and whose row is flat: a trade ends in the one it began in."""
    rows = connection.execute(
        text("""
        SELECT a.instrument_id, a.timeframe::text, a.generation, n.generation AS next
        FROM engine_states a JOIN engine_states n USING (instrument_id, timeframe)
        WHERE a.adopted AND n.bar_ts >= a.bar_ts AND n.generation > a.generation AND n.generation = (
            SELECT max(generation) FROM engine_states s
            WHERE s.instrument_id = a.instrument_id AND s.timeframe = a.timeframe)
          AND NOT EXISTS (
            SELECT FROM positions p JOIN instruments i USING (token_chain, book_id, token_contract)
            LEFT JOIN holdings h USING (position_id)
            WHERE i.instrument_id = a.instrument_id AND p.timeframe = a.timeframe AND (h.quantity > 0 OR EXISTS (
              SELECT FROM intents o WHERE o.position_id = p.position_id AND o.side = 'buy' AND is_open(o.status))))
        ORDER BY a.instrument_id, a.timeframe
        """)
    ).all()
    old = [_series(row) for row in rows]
    _set_adopted(connection, old, adopted=False)
    _set_adopted(
        connection, [one._replace(generation=row.next) for one, row in zip(old, rows, strict=True)], adopted=True
    )


def _set_adopted(connection: Connection, series: Sequence[Series], *, adopted: bool) -> None:
    """One series has one adopted generation at any time: end the old one before the new one begins."""
    if series:
        connection.execute(
            text("""
            UPDATE engine_states SET adopted = :adopted
            WHERE (instrument_id, timeframe, generation) = (:instrument, CAST(:timeframe AS timeframe), :generation)
            """),
            [_key(one) | {"generation": one.generation, "adopted": adopted} for one in series],
        )


def _insert(connection: Connection, series: Sequence[Series], state: bytes, *, adopted: bool) -> None:
    if series:
        fixed = {"adopted": adopted, "version": ENGINE_VERSION, "state": state}
        connection.execute(text(_INSERT), [_key(one) | fixed for one in series])


def _series(row: Row[Any]) -> Series:
    return Series(row.instrument_id, Timeframe(row.timeframe), row.generation)


def _key(series: Series) -> dict[str, object]:
    return {"instrument": series.instrument_id, "timeframe": series.timeframe.value}
