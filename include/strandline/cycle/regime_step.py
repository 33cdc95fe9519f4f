"""Steps the market's index on 1h and 1d, and BTC on 1h, through their new bars; the only writer of their tables.

A member's bar that comes late or is revised changes the index from its own time on. Those bars are stepped again from
the state before them, as new revisions: no row trades by them, so nothing has to stay as it was.
"""

from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection, text
from sqlalchemy import Engine as Database

from strandline.cycle.market_bars import Members, first_change, market_bars, members_of
from strandline.cycle.regime_series import CHECKPOINTS, MarketSeries, NewBar, Place, SteppedBar, hashes
from strandline.cycle.regime_tables import Cursor, lock_series, place_before, store, stored_after
from strandline.engine import Engine, warm_up
from strandline.model.regime import MACRO, MESO, RegimeSeries
from strandline.model.strategy import Strategy

SERIES: Final = ((RegimeSeries.INDEX, MESO), (RegimeSeries.INDEX, MACRO), (RegimeSeries.BTC, MESO))
_INDEX_INSTRUMENT: Final = 0
"""The index is none."""


class RegimeRun(NamedTuple):
    """How many bars were stepped, those that were stepped again among them, and how many series were begun anew."""

    bars: int
    revised: int
    begun: int


def step_regime(database: Database, strategy: Strategy, cycle: datetime) -> RegimeRun:
    """Step what came in since the last time. Repeated or concurrent runs step each bar once."""
    warm_up(strategy)
    engine = Engine(strategy)
    stepped: list[SteppedBar] = []
    begun = 0
    with database.begin() as connection:
        cursors = lock_series(connection, SERIES)
        # Every bar with a known_seq up to this one is committed, and the statements after this see it.
        known_seq = int(connection.execute(text("SELECT seq FROM commit_counter")).scalar_one())
        for cursor in cursors:
            until = max(cursor.timeframe.last_final(cycle), cursor.bar_ts)
            rules = MarketSeries(engine, strategy, cursor.series, cursor.timeframe)
            members = members_of(connection, cursor.series, strategy.regime.members)
            generation, bars = _step_series(connection, rules, cursor, members, until)
            now = cursor._replace(generation=generation, made_with=rules.made_with, known_seq=known_seq, bar_ts=until)
            store(connection, now, bars)
            stepped += bars
            begun += generation > cursor.generation
    return RegimeRun(len(stepped), sum(one.new.revision > 0 for one in stepped), begun)


def _step_series(
    connection: Connection, rules: MarketSeries, cursor: Cursor, members: Members, until: datetime
) -> tuple[int, list[SteppedBar]]:
    """Step the bars that differ from what is stored, or all of them in a new generation; returns it with the bars."""
    instrument = _INDEX_INSTRUMENT if cursor.series is RegimeSeries.INDEX else next(iter(members.values()), 0)
    if cursor.made_with == rules.made_with:
        changed = first_change(connection, members, cursor.timeframe, cursor.bar_ts, cursor.known_seq, until)
        if changed is None:
            return cursor.generation, []
        place = place_before(connection, cursor, changed, rules.window)
        new = None if place is None else _new_bars(connection, cursor, members, place, until)
        if place is not None and new is not None:
            stepped = rules.step(place, new, instrument, cursor.generation)
            return cursor.generation, [one for one in stepped if not one.new.known]
    place, generation = rules.beginning(), cursor.generation + 1
    bars = market_bars(connection, cursor.series, members, cursor.timeframe, place.ts, place.level, until)
    new = [NewBar(bar, 0, hashed) for bar, hashed in zip(bars, hashes(place.input_hash, bars), strict=True)]
    # Later steps begin at a checkpoint, and the phases look back from it.
    return generation, list(rules.step(place, new, instrument, generation))[-CHECKPOINTS - rules.window :]


def _new_bars(
    connection: Connection, cursor: Cursor, members: Members, place: Place, until: datetime
) -> list[NewBar] | None:
    """The bars after the place; None if one that is stored is gone, since the gate withholds it now.

    A hash covers all bars before, too: from the first bar that differs on, all do.
    """
    bars = market_bars(connection, cursor.series, members, cursor.timeframe, place.ts, place.level, until)
    stored = stored_after(connection, cursor, place.ts)
    if stored.keys() - {one.bar.ts for one in bars}:
        return None
    new = []
    for bar, hashed in zip(bars, hashes(place.input_hash, bars), strict=True):
        revision, known = stored.get(bar.bar.ts, (-1, None))
        new.append(NewBar(bar, revision if hashed == known else revision + 1, hashed, hashed == known))
    return new
