"""Keeping house: partitions for the days to come, and old days of ticks into files."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from strandline.cycle.context import open_context, utc_now
from strandline.cycle.runs import Summary
from strandline.store.partitions import ensure_partitions_around
from strandline.store.timeouts import MAINTENANCE

if TYPE_CHECKING:
    from strandline.retention.archiving import ArchivedDay


def make_partitions(clock: Callable[[], datetime] = utc_now) -> Summary:
    """Make the partitions of ticks from yesterday to a week ahead."""
    with open_context(MAINTENANCE, clock) as context:
        return {"made": ensure_partitions_around(context.database, context.clock().date())}


def archive_ticks(
    report: "Callable[[ArchivedDay], None]" = lambda _: None, clock: Callable[[], datetime] = utc_now
) -> Summary:
    """Archive and drop the days of ticks that are older than the setting says."""
    from strandline.retention.archiving import archive_ticks as archive_all
    from strandline.retention.tick_archive import TickArchive

    with open_context(MAINTENANCE, clock) as context:
        before = context.clock().date() - timedelta(days=context.settings.tick_retention_days)
        done = archive_all(context.database, TickArchive(context.settings.archive), before, report)
    return {
        "before": before.isoformat(),
        "days": dict(Counter(day.dropping.value for day in done)),
        "ticks_archived": sum(day.rows for day in done if day.written),
    }
