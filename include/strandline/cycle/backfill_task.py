"""Airflow's task that loads history."""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from strandline.cycle.backfill_form import IntervalRun, read_form
from strandline.cycle.runs import Summary
from strandline.model.errors import StrandlineError

if TYPE_CHECKING:
    from strandline.history.backfill import Outcome
    from strandline.history.units import Loaded

_log = logging.getLogger(__name__)


def load_history(run: IntervalRun, params: Mapping[str, Any]) -> Summary:
    """Load what the form, or the run's interval, asks for; a line in the log for each unit, and the summary at its end.

    It may run again, be cleared, or run twice at once: the tables end the same.
    """
    from strandline.cycle.backfill import run_backfill

    done = 0

    def report(name: str, outcome: "Outcome", rows: "Loaded", count: int | None) -> None:
        nonlocal done
        done += 1
        _log.info("%d of %s: %s %s, %d rows stored", done, count or "?", name, outcome, rows.stored)

    summary = run_backfill(read_form(run, params), report)
    _log.info("%s", summary)
    if summary["failures"]:
        raise StrandlineError("; ".join(summary["failures"]), "what was loaded is kept; mend it and clear this task")
    return summary
