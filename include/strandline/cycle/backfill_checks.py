"""What follows a load of history: the days are checked, and the engine steps what it may."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from strandline.cycle.context import Context
from strandline.cycle.cycle_time import last_complete_cycle
from strandline.cycle.runs import Summary
from strandline.model.errors import StrandlineError
from strandline.model.timeframe import Timeframe

# Only days of which there are bars: a person may ask for years.
_DAYS: Final = text("""
    SELECT day FROM generate_series(CAST(:first AS timestamptz), :last, interval '1 day') AS day
    WHERE EXISTS (
      SELECT FROM instruments i CROSS JOIN unnest(CAST(:timeframes AS timeframe[])) AS f (timeframe)
      JOIN LATERAL (
        SELECT FROM bars b WHERE b.instrument_id = i.instrument_id AND b.timeframe = f.timeframe
          AND b.ts >= day AND b.ts < day + interval '1 day' LIMIT 1) AS one ON true
      WHERE i.token_contract = ANY (:symbols) AND i.token_chain || '/' || i.book_id = :venue)
    ORDER BY day
""")
_FOUND: Final = text("""
    SELECT f.check_name, f.severity::text AS severity, count(*) AS bars,
           (array_agg(concat_ws(' ', i.symbol, f.timeframe::text,
                                to_char(f.ts AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI"Z"'))
                      ORDER BY f.ts, i.symbol, f.timeframe))[1:5] AS examples
    FROM quality_findings f LEFT JOIN instruments i USING (instrument_id)
    WHERE f.quality_run_id = ANY (:runs) GROUP BY 1, 2 ORDER BY 2 DESC, 1
""")


def check_days(context: Context, loaded: Summary) -> Summary:
    """Check all bars of the days that were loaded, whether the engine has stepped them or not."""
    from strandline.quality import check_history

    until = checked_until(context)
    with context.database.connect() as connection:
        days = _days(connection, loaded, until)
    runs, errors = list[int](), list[str]()
    for day in days:
        result = check_history(context.database, context.strategy, day, until, context.clock())
        runs += result.runs.values()
        errors += [f"{day:%Y-%m-%d}: {error}" for error in result.errors.values()]
    with context.database.connect() as connection:
        found = [dict(row._mapping) for row in connection.execute(_FOUND, {"runs": runs})]  # noqa: SLF001  its public name
    said = [f"{len(days):,} days checked, {sum(one['bars'] for one in found):,} findings"]
    said += [f"{one['bars']:,} {one['check_name']} ({one['severity']}): {', '.join(one['examples'])}" for one in found]
    if errors:
        raise StrandlineError(f"the check could not be made of {'; '.join(errors)}", "clear this task to make it again")
    return {"said": said, "days": len(days), "findings": found}


def step_series(context: Context) -> Summary:
    """Step every series through the final bars that it has not seen, in their order and under its lock."""
    from strandline.cycle.engine_step import run_engine
    from strandline.cycle.regime_step import step_regime

    until = checked_until(context)
    run = run_engine(context.database, context.strategy, until)
    step_regime(context.database, context.strategy, until)
    said = (
        f"{run.series:,} series stepped through {run.bars:,} new bars to {_utc(until)}; "
        f"{run.signals:,} signals stored; {run.ready:,} have enough bars for flags"
    )
    return {"said": [said], "until": _utc(until), **run._asdict()}


def checked_until(context: Context) -> datetime:
    """The newest cycle whose bars the gate has checked: no series may step a bar before the live cycle's check of it.

    Where no cycle was ever checked, none is running that could be overtaken.
    """
    now = context.clock()
    with context.database.connect() as connection:
        checked: datetime | None = connection.scalar(
            text("SELECT max(cycle_t) FROM quality_runs WHERE suite = 'bars' AND succeeded AND cycle_t <= :now"),
            {"now": now},
        )
    return checked or last_complete_cycle(now)


def _days(connection: Connection, loaded: Summary, until: datetime) -> Sequence[datetime]:
    if not loaded["since"]:
        return []
    since, before = datetime.fromisoformat(loaded["since"]), datetime.fromisoformat(loaded["until"])
    rows = connection.scalars(
        _DAYS,
        {
            "first": Timeframe.D1.start_of(since),
            "last": min(before, until) - timedelta(microseconds=1),
            "timeframes": [timeframe.value for timeframe in Timeframe],
            "symbols": loaded["symbols"],
            "venue": loaded["venue"],
        },
    )
    return list(rows)


def _utc(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%MZ}"
