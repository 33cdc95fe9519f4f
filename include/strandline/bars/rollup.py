"""The rollup: what came in since the last one becomes bars, in one transaction.

It takes the dirty minutes first and reads the ticks in a later statement. A tick commits together with its dirty
row, so either the rollup sees both, or the row stays for the next one: nothing is missed, whatever commits when.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, Engine, text

from strandline.bars import higher, minutes, staging
from strandline.bars.gaps import keep_gaps
from strandline.bars.revisions import write_staged
from strandline.model.timeframe import Timeframe


class RollUp(NamedTuple):
    """What one rollup did. Timeframes of which nothing was written are not named."""

    minutes: int
    new: Mapping[Timeframe, int]
    revised: Mapping[Timeframe, int]
    gaps: int
    known_seq: int


def roll_up(engine: Engine, until: datetime) -> RollUp:
    """Build the bars of all dirty minutes that are over at `until`; those that are not over yet stay dirty.

    Doing it twice changes nothing, and two at once wait for each other.
    """
    with engine.execution_options(isolation_level="READ COMMITTED").begin() as connection:
        known_seq = _lock_knowledge(connection)
        staging.make_tables(connection)
        taken = minutes.take_touched(connection, until)
        minutes.stage(connection)
        gaps = _rewrite(connection, known_seq + 1)
        higher.stage(connection, until)
        gaps += _rewrite(connection, known_seq + 1)
        new, revised = staging.count_written(connection)
        if new or revised:
            known_seq = int(connection.execute(text("SELECT next_known_seq()")).scalar_one())
    return RollUp(taken, new, revised, gaps, known_seq)


def _lock_knowledge(connection: Connection) -> int:
    """The newest known_seq, which nobody else can raise until this transaction ends."""
    return int(connection.execute(text("SELECT seq FROM commit_counter FOR UPDATE")).scalar_one())


def _rewrite(connection: Connection, known_seq: int) -> int:
    """Bring what is staged into the tables; how many gaps were written."""
    write_staged(connection, known_seq)
    return keep_gaps(connection)
