"""The rollup: builds the bars of everything that arrived since the last one.

It takes the dirty minutes first and reads the ticks in a later statement of the same transaction. A tick commits
together with its dirty row, so either the rollup sees both, or the row stays for the next one: nothing is missed,
whenever a writer commits. A backlog is worked off in slices, each in its own transaction: whatever ends the rollup, the
next one goes on from there.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, Engine, text

from strandline.bars import higher, minutes, staging
from strandline.bars.gaps import update_gaps
from strandline.bars.revisions import write_staged
from strandline.model.timeframe import Timeframe


class RollUp(NamedTuple):
    """Counts of one rollup; timeframes without written bars are left out."""

    minutes: int
    new: Mapping[Timeframe, int]
    revised: Mapping[Timeframe, int]
    gaps: int
    known_seq: int


def roll_up(engine: Engine, until: datetime) -> RollUp:
    """Build the bars of all dirty minutes that are over at `until`; those that are not over yet stay dirty.

    Repeating it changes nothing, and concurrent rollups wait for each other.
    """
    slices = []
    reached = None
    while reached is None or reached < until:
        with engine.execution_options(isolation_level="READ COMMITTED").begin() as connection:
            known_seq = _lock_known_seq(connection)
            reached = minutes.end_of_slice(connection, until)
            slices.append(_roll_up_slice(connection, reached, known_seq))
    return _total(slices)


def _roll_up_slice(connection: Connection, until: datetime, known_seq: int) -> RollUp:
    staging.create_tables(connection)
    taken = minutes.take_dirty_minutes(connection, until)
    minutes.stage(connection)
    gaps = _write(connection, known_seq + 1)
    higher.stage(connection, until)
    gaps += _write(connection, known_seq + 1)
    new, revised = staging.count_written(connection)
    if new or revised:
        known_seq = int(connection.execute(text("SELECT next_known_seq()")).scalar_one())
    return RollUp(taken, new, revised, gaps, known_seq)


def _total(slices: Sequence[RollUp]) -> RollUp:
    new, revised = Counter[Timeframe](), Counter[Timeframe]()
    for one in slices:
        new.update(one.new)
        revised.update(one.revised)
    return RollUp(
        sum(one.minutes for one in slices),
        dict(new),
        dict(revised),
        sum(one.gaps for one in slices),
        slices[-1].known_seq,
    )


def _lock_known_seq(connection: Connection) -> int:
    """Return the newest known_seq, and lock it until this transaction ends."""
    return int(connection.execute(text("SELECT seq FROM commit_counter FOR UPDATE")).scalar_one())


def _write(connection: Connection, known_seq: int) -> int:
    """Write the staged bars and their gaps; returns how many gaps were written."""
    write_staged(connection, known_seq)
    return update_gaps(connection)
