"""What a cycle looks at: what came in since the last cycle that was checked, and never the whole history."""

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import Connection, text

from strandline.model.strategy import Strategy

_FIRST_TICKS: Final = timedelta(days=1)
_LATE_TICKS: Final = timedelta(minutes=1)
_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CHECKED = text("""
    SELECT cycle_t FROM quality_runs WHERE suite = :suite AND succeeded AND cycle_t < :cycle
    ORDER BY cycle_t DESC LIMIT 1
""")
_PATIENCE = text("""
    SELECT max(stale_after) FROM instruments JOIN positions USING (token_chain, book_id, token_contract)
    WHERE desired_status <> 'archived'
""")


class Window(NamedTuple):
    """Ticks in [ticks_from, cycle), bars that end in (bars_after, cycle].

    Before `stale_before` a tick is stale for every instrument, after `future` it cannot have happened yet.
    """

    cycle: datetime
    as_of: datetime
    ticks_from: datetime
    bars_after: datetime
    stale_before: datetime
    future: datetime


def window_of(connection: Connection, strategy: Strategy, cycle: datetime, as_of: datetime) -> Window:
    """Bars stay in the window for as long as their flags may count.

    Before the first check that is every bar there is, and the ticks of a day: the bars tell the rest.
    """
    checked_ticks = connection.scalar(_CHECKED, {"suite": "ticks", "cycle": cycle})
    checked_bars = connection.scalar(_CHECKED, {"suite": "bars", "cycle": cycle})
    patience = connection.scalar(_PATIENCE) or timedelta(0)
    flags_live = timedelta(seconds=strategy.entries.flag_life_seconds)
    return Window(
        cycle=cycle,
        as_of=as_of,
        ticks_from=checked_ticks - _LATE_TICKS if checked_ticks else cycle - _FIRST_TICKS,
        bars_after=checked_bars - flags_live if checked_bars else _BEGINNING,
        stale_before=as_of - patience,
        future=as_of + timedelta(seconds=strategy.quality.future_tick_seconds),
    )
