"""Faultless data of three instruments that trade once a minute at about 100; and faults for one of them."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, text

from strandline.bars import roll_up
from strandline.model.timeframe import Timeframe
from strandline.quality import QualityResult, Severity, check, check_signals
from strandline.settings import Settings
from strandline.strategy import load_strategy

T = datetime(2026, 1, 5, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
STRATEGY = load_strategy(Settings())
FAULTY = 2

FAULTLESS_DATA = """
    INSERT INTO instruments (token_chain, book_id, token_contract, symbol, lot, min_notional)
      SELECT 'hyperliquid', 'perps', 'C' || n, 'C', 1, 1 FROM generate_series(1, 3) AS n;
    INSERT INTO positions (position_id, token_chain, book_id, token_contract, timeframe, weight)
      SELECT gen_random_uuid(), token_chain, book_id, token_contract, '1m', 1 FROM instruments;
    SELECT ensure_tick_partitions('2026-01-04', '2026-01-06');
    INSERT INTO ticks
      SELECT CAST(:until AS timestamptz) - n * interval '1 minute' + interval '20 s', i, n, 100 + n % 3, 1,
             'b', 't', 's'
      FROM generate_series(1, 700) AS n, generate_series(1, 3) AS i;
    INSERT INTO dirty_minutes SELECT instrument_id, date_trunc('minute', ts) FROM ticks;
    INSERT INTO venue_candles
      SELECT instrument_id, '1m', date_trunc('minute', ts), price, price, price, price, 1, 1, ts FROM ticks
"""


class Finding(NamedTuple):
    """A finding, without its bar and values."""

    instrument_id: int | None
    timeframe: str | None
    check_name: str
    severity: str


def run_checks(engine: Engine, cycle: datetime = T, late: timedelta = timedelta(seconds=8)) -> QualityResult:
    """Check the cycle with every suite, seconds after its end."""
    data = check(engine, STRATEGY, cycle, cycle + late)
    signals = check_signals(engine, STRATEGY, cycle, cycle + late)
    findings = Counter(data.findings) + Counter(signals.findings)
    return QualityResult(findings, {**data.errors, **signals.errors}, {**data.runs, **signals.runs})


def findings(connection: Connection) -> set[Finding]:
    """The findings of the newest run of each suite."""
    return {
        Finding(*row)
        for row in connection.execute(
            text("""
                SELECT instrument_id, timeframe, check_name, severity FROM quality_findings
                WHERE quality_run_id IN (SELECT max(quality_run_id) FROM quality_runs GROUP BY suite)
            """)
        )
    }


def withheld(connection: Connection, cycle: datetime = T) -> set[tuple[int, Timeframe, datetime]]:
    """The bars of the cycle that the engine does not step, by what the newest runs found: instrument, timeframe, start.

    A finding about a signal withholds none: the bar is sound, what was made of it is not.
    """
    rows = connection.execute(
        text("""
            SELECT instrument_id, timeframe, ts FROM quality_findings
            WHERE severity = 'block_all' AND ts IS NOT NULL AND timeframe IS NOT NULL AND quality_run_id IN (
              SELECT max(quality_run_id) FROM quality_runs WHERE cycle_t = :cycle AND suite <> 'signals' GROUP BY suite)
        """),
        {"cycle": cycle},
    )
    return {(row.instrument_id, Timeframe(row.timeframe), row.ts) for row in rows}


def finding_details(connection: Connection, check_name: str) -> list[Any]:
    """The findings of a check with their bars and values."""
    return list(
        connection.execute(
            text("""
                SELECT instrument_id, timeframe, ts, details FROM quality_findings WHERE check_name = :check_name
                ORDER BY quality_run_id, finding_no
            """),
            {"check_name": check_name},
        )
    )


def add_tick(connection: Connection, engine: Engine, *, candle: bool = False, **values: object) -> None:
    """Insert a tick of the faulty instrument into the cycle, and roll up; by default its minute has no candle."""
    tick = {
        "ts": T - 2 * MINUTE,
        "trade_id": 1_000_000,
        "price": 101.0,
        "size": 1.0,
        "side": "b",
        "kind": "t",
        "source": "s",
    } | values
    connection.execute(text("INSERT INTO ticks VALUES (:ts, 2, :trade_id, :price, :size, :side, :kind, :source)"), tick)
    connection.execute(
        text("INSERT INTO dirty_minutes VALUES (2, date_trunc('minute', CAST(:ts AS timestamptz)))"), tick
    )
    if not candle:
        connection.execute(
            text("""
                DELETE FROM venue_candles
                WHERE instrument_id = 2 AND ts = date_trunc('minute', CAST(:ts AS timestamptz))
            """),
            tick,
        )
    connection.commit()
    roll_up(engine, T)


def revise_bar(connection: Connection, start: datetime = T - MINUTE, **values: float | None) -> None:
    """Revise a minute bar of the faulty instrument with other values."""
    changes = ", ".join(f"{column} = :{column}" for column in values)
    connection.execute(
        text(f"""
            UPDATE bars SET {changes}, revision = revision + 1, known_seq = known_seq + 1
            WHERE instrument_id = 2 AND timeframe = '1m' AND ts = :start
        """),
        {**values, "start": start},
    )
    connection.commit()


ENTRIES, ALL, WARN = Severity.BLOCK_ENTRIES, Severity.BLOCK_ALL, Severity.WARN
