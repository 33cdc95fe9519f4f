"""The window that a cycle checks: since the last cycle whose check succeeded, and never the whole history."""

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import Connection, text

from strandline.model.strategy import Strategy

_FIRST_TICKS: Final = timedelta(days=1)
_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CHECKED = text("""
    SELECT cycle_t FROM quality_runs WHERE suite = :suite AND succeeded AND cycle_t < :cycle
    ORDER BY cycle_t DESC LIMIT 1
""")
_LONGEST_STALE_AFTER = text("""
    SELECT max(stale_after) FROM instruments JOIN positions USING (token_chain, book_id, token_contract)
    WHERE desired_status <> 'archived'
""")


class Window(NamedTuple):
    """Ticks in [ticks_from, cycle), and bars that end in (bars_after, cycle].

    A tick before `stale_before` is stale for every instrument; one after `future` is dated in the future.
    """

    cycle: datetime
    as_of: datetime
    ticks_from: datetime
    bars_after: datetime
    stale_before: datetime
    future: datetime


def window_of(connection: Connection, strategy: Strategy, cycle: datetime, as_of: datetime) -> Window:
    """Bars stay in the window for as long as their flags may be acted on.

    The first check covers all bars, and the ticks of a day: bars show the faults of older ticks.
    """
    checked_ticks = connection.scalar(_CHECKED, {"suite": "ticks", "cycle": cycle})
    checked_bars = connection.scalar(_CHECKED, {"suite": "bars", "cycle": cycle})
    longest_stale_after = connection.scalar(_LONGEST_STALE_AFTER) or timedelta(0)
    late = timedelta(seconds=strategy.quality.late_tick_seconds)
    flag_life = timedelta(seconds=strategy.entries.flag_life_seconds)
    return Window(
        cycle=cycle,
        as_of=as_of,
        ticks_from=checked_ticks - late if checked_ticks else cycle - _FIRST_TICKS,
        bars_after=checked_bars - flag_life if checked_bars else _BEGINNING,
        stale_before=as_of - longest_stale_after,
        future=as_of + timedelta(seconds=strategy.quality.future_tick_seconds),
    )
