"""Airflow's tasks that load history, check it, and step the engine through it."""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from strandline.cycle.backfill_form import IntervalRun, read_form
from strandline.cycle.backfill_words import in_words
from strandline.cycle.context import open_context
from strandline.cycle.runs import Summary
from strandline.model.errors import StrandlineError
from strandline.store.timeouts import COMPUTING

if TYPE_CHECKING:
    from strandline.history.backfill import Outcome
    from strandline.history.units import Loaded

_log = logging.getLogger(__name__)


def load_history(run: IntervalRun, params: Mapping[str, Any]) -> Summary:
    """Load what the form, or the run's interval, asks for; a line in the log for each unit, and what came of it all.

    It may run again, be cleared, or run twice at once: the tables end the same.
    """
    from strandline.cycle.backfill import run_backfill

    done = 0

    def report(name: str, outcome: "Outcome", rows: "Loaded", count: int | None) -> None:
        nonlocal done
        done += 1
        of = f" of {count:,}" if count else ""
        counts = f"; {rows.found:,} rows, {rows.stored:,} of them new" if rows.found else ""
        _log.info("%s%s: %s %s%s", f"{done:,}", of, name, outcome, counts)

    summary = run_backfill(read_form(run, params), report)
    said = list(in_words(summary))
    for line in said:
        _log.info("%s", line)
    if summary["failures"]:
        raise StrandlineError("; ".join(summary["failures"]), "what was loaded is kept; mend it and clear this task")
    return {"said": said, **summary}


def check_quality(loaded: Summary) -> Summary:
    """Check the days that were loaded."""
    from strandline.cycle.backfill_checks import check_days

    with open_context(COMPUTING) as context:
        return _told(check_days(context, loaded))


def run_engine() -> Summary:
    """Step every series through what is new."""
    from strandline.cycle.backfill_checks import step_series

    with open_context(COMPUTING) as context:
        return _told(step_series(context))


def _told(summary: Summary) -> Summary:
    for line in summary["said"]:
        _log.info("%s", line)
    return summary
