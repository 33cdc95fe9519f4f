"""Loads history for a person or for Airflow: from the request to bars and a summary."""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime
from typing import TypeAlias

from sqlalchemy import Engine, text

from strandline.bars import roll_up
from strandline.configuration import load_settings, venue_config
from strandline.cycle.backfill_days import days_in_files
from strandline.cycle.backfill_instruments import instruments_of
from strandline.cycle.backfill_request import BackfillRequest
from strandline.cycle.backfill_units import plan_units
from strandline.cycle.context import utc_now
from strandline.cycle.cycle_time import last_complete_cycle
from strandline.cycle.runs import Summary
from strandline.cycle.venue_comparison import compare_with_venue
from strandline.history.backfill import Backfill, Outcome, backfill
from strandline.history.units import Loaded
from strandline.model.errors import StrandlineError
from strandline.model.source import HistorySource
from strandline.model.timeframe import Timeframe
from strandline.settings import Settings
from strandline.store.connect import connect, database_url, in_words, unreachable
from strandline.store.connect_async import DATABASE_ERRORS, connect_async
from strandline.store.roles import Role
from strandline.store.timeouts import COMPUTING, LOADING
from strandline.strategy import load_strategy
from strandline.venues.registry import venues

Report: TypeAlias = Callable[[str, Outcome, Loaded, int | None], None]
"""Told of each unit: its name, what became of it, its rows, and of how many units it is one, if that is known."""


def run_backfill(request: BackfillRequest, report: Report, clock: Callable[[], datetime] = utc_now) -> Summary:
    """Load the history, and build the bars of what is new. Repeated, or twice at once, it ends in the same tables."""
    now = clock()
    if request.starts_at >= now:
        raise StrandlineError(f"{_utc(request.starts_at)} is in the future", "history is of the past")
    settings = load_settings()
    database = connect(database_url(settings, Role.APP), Role.APP, timeouts=COMPUTING)
    try:
        with in_words(settings):
            return asyncio.run(_backfill(settings, request, database, report, now))
    except DATABASE_ERRORS as error:
        raise unreachable(settings, error) from error
    finally:
        database.dispose()


async def _backfill(
    settings: Settings, request: BackfillRequest, database: Engine, report: Report, now: datetime
) -> Summary:
    (venue,) = (one for one in venues() if one.key == request.venue)
    known_seq = _known_seq(database)
    bars = _Bars(database, min(last_complete_cycle(now), request.ends_at))
    connection = await connect_async(database_url(settings, Role.INGEST), Role.INGEST, LOADING)
    try:
        config = venue_config(settings, venue.settings, load_strategy(settings).execution, lambda: now)
        instruments = await instruments_of(connection, venue, config, request.symbols)
        in_files = await days_in_files(connection, settings.archive, request, instruments)
        plan = plan_units(venue, config, request, instruments, now, in_files)
        done = await backfill(
            connection,
            plan.units,
            again=request.again,
            after_unit=lambda unit: bars.build(unit.complete_until),
            report=lambda name, outcome, rows: report(name, outcome, rows, plan.count),
        )
    finally:
        await connection.close()
    bars.build(request.ends_at)
    return {
        **_asked(request, instruments.numbers),
        **_counts(done),
        "passed_over": dict(done.passed_over.most_common()),
        "compared": _compared(settings, database, request, instruments.numbers.values(), known_seq, done),
        "missing_hours": [_utc(hour) for hour in plan.missing],
        "missing_days": [f"{day:%Y-%m-%d}" for day in plan.missing_days],
        "bars": {"new": bars.new.total(), "revised": bars.revised.total()},
        "failures": done.failures,
    }


def _asked(request: BackfillRequest, symbols: Iterable[str]) -> Summary:
    return {
        "venue": str(request.venue),
        "source": request.source.value,
        "symbols": sorted(symbols),
    }


def _counts(done: Backfill) -> Summary:
    rows = done.rows
    return {
        # What a file without days has in it is known only now.
        "since": done.since and done.since.isoformat(),
        "until": done.until and done.until.isoformat(),
        "units": {outcome.value: count for outcome, count in done.units.items() if count},
        "stored": rows.stored,
        "changed": rows.changed,
        "already_there": rows.found - rows.stored - rows.changed,
        "refused": dict(sorted(rows.refused.items())),
    }


def _known_seq(database: Engine) -> int:
    with database.connect() as connection:
        return int(connection.execute(text("SELECT seq FROM commit_counter")).scalar_one())


def _compared(
    settings: Settings,
    database: Engine,
    request: BackfillRequest,
    instruments: Collection[int],
    known_seq: int,
    done: Backfill,
) -> Summary | None:
    """How our minutes compare with the venue's candles, where these were loaded."""
    if request.source is not HistorySource.REST or request.timeframe is not Timeframe.M1:
        return None
    if done.since is None or done.until is None:
        return None
    strategy = load_strategy(settings)
    return compare_with_venue(database, strategy, instruments, (done.since, done.until), known_seq)._asdict()


class _Bars:
    """Builds bars after each unit, so that the live cycle never finds more dirty minutes than it has time for."""

    def __init__(self, database: Engine, until: datetime) -> None:
        self._database = database
        self._until = until
        self.new: Counter[str] = Counter()
        self.revised: Counter[str] = Counter()

    def build(self, until: datetime) -> None:
        """Build the bars of what is complete."""
        built = roll_up(self._database, min(until, self._until))
        self.new.update(built.new)
        self.revised.update(built.revised)


def _utc(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%MZ}"
