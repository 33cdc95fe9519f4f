"""Loads units of history one after the other, and counts what came of them."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from strandline.history.loads import loaded_before
from strandline.history.retry import retry_conflicts
from strandline.history.units import Loaded, Unit
from strandline.store.connect_async import Connection
from strandline.venues.archive import BadFileError
from strandline.venues.feed import FeedError


class Outcome(StrEnum):
    """What became of a unit."""

    LOADED = "loaded"
    LOADED_BEFORE = "loaded before"
    NOTHING = "nothing there"
    FAILED = "failed"


@dataclass
class Backfill:
    """Totals: units by outcome, the reasons of those that failed, their rows, and the time in which these lie."""

    units: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    failures: list[str] = field(default_factory=list)
    rows: Loaded = field(default_factory=Loaded)
    passed_over: Counter[str] = field(default_factory=Counter)
    since: datetime | None = None
    until: datetime | None = None


async def backfill(
    connection: Connection,
    units: Iterable[Unit],
    *,
    again: bool,
    after_unit: Callable[[Unit], None],
    report: Callable[[str, Outcome, Loaded], None],
) -> Backfill:
    """Load every unit that was not loaded before, or every unit if `again`. A bad file does not keep others out.

    Killed at any instant and repeated, it ends in the same tables.
    """
    done = Backfill()

    def finish(name: str, outcome: Outcome, rows: Loaded) -> None:
        done.units[outcome] += 1
        done.rows.add(rows)
        report(name, outcome, rows)

    try:
        for unit in units:
            done.passed_over += unit.passed_over
            done.since = min(unit.since, done.since or unit.since)
            done.until = max(unit.until, done.until or unit.until)
            try:
                rows = await _load(connection, unit, again=again)
            except BadFileError as error:
                done.failures.append(str(error))
                finish(unit.name, Outcome.FAILED, Loaded())
                continue
            if isinstance(rows, Outcome):
                finish(unit.name, rows, Loaded())
            else:
                finish(unit.name, Outcome.LOADED, rows)
                after_unit(unit)
    except (BadFileError, FeedError) as error:
        # The rest of the file cannot be read, or the venue is away, which the next unit would find too.
        done.failures.append(str(error))
        done.units[Outcome.FAILED] += 1
    return done


async def _load(connection: Connection, unit: Unit, *, again: bool) -> Loaded | Outcome:
    """The rows of the unit, or why there are none."""
    key = unit.key()
    known = set() if again else await loaded_before(connection, key, unit.instruments.values())
    lacking = {token: number for token, number in unit.instruments.items() if number not in known}
    if not lacking:
        return Outcome.LOADED_BEFORE
    counts = await retry_conflicts(lambda: unit.load(connection, key, lacking))
    total = Loaded()
    for rows in counts.values():
        total.add(rows)
    return total if counts else Outcome.NOTHING
