"""Reads everything that a plan depends on, in one transaction, so that all of it was true at one time."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from msgspec.structs import asdict
from sqlalchemy import Connection, text

from strandline.cycle.context import Context
from strandline.cycle.marks import SeenMark, newest_marks
from strandline.cycle.position_rows import PositionRow, position_rows
from strandline.cycle.prices import highest_closes, known_mark, trusted_prices
from strandline.cycle.runs import TaskRun
from strandline.cycle.signals import SeriesKey, signals_since
from strandline.cycle.trade_history import pasts
from strandline.execution import OutboxIntent, open_intents
from strandline.ledger.cash import free_cash
from strandline.ledger.equity import measure, value
from strandline.model.exact import Price
from strandline.model.intent import ExitReason
from strandline.model.mark import Mark
from strandline.model.signal import Signal
from strandline.pm.inputs import CycleInputs, KnownPrice, Memory, OpenIntent, Past, Row
from strandline.quality import Blocks, Severity, blocks


class Read(NamedTuple):
    """The planner's inputs, and what else committing the plan needs."""

    inputs: CycleInputs
    watched: Mapping[UUID, PositionRow]
    marks: Mapping[int, Mark]
    assets: Mapping[str, Mark]


class _Known(NamedTuple):
    """What was read for all rows at once."""

    prices: Mapping[int, KnownPrice]
    marks: Mapping[int, SeenMark]
    newest: Mapping[SeriesKey, tuple[Signal, ...]]
    memories: Mapping[UUID, Memory]
    signals: Mapping[UUID, tuple[Signal, ...]]
    highest: Mapping[UUID, Price]
    pasts: Mapping[UUID, Past]
    opened: Mapping[UUID, tuple[OpenIntent, ...]]
    blocks: Blocks


def read_inputs(connection: Connection, context: Context, run: TaskRun) -> Read:
    """Of this cycle."""
    rows = position_rows(connection)
    known = _known(connection, context, run.cycle, rows)
    marks = {
        instrument_id: _valued_at(mark, known.prices.get(instrument_id)) for instrument_id, mark in known.marks.items()
    }
    assets = {mark.symbol: mark for mark in known.marks.values() if not mark.venue.margined}
    worth = value(connection, marks, assets)
    measured = measure(connection, run.cycle, worth)
    inputs = CycleInputs(
        cycle=run.cycle,
        rows=tuple(_row(context, run, watched, known) for watched in rows),
        equity=None if worth.unpriced else worth.equity,
        peak=measured.peak,
        losing_streak=measured.losing_streak,
        free_cash={str(venue): cash for venue, cash in free_cash(connection).items()},
        block_all_entries=known.blocks.all_entries,
    )
    return Read(inputs, {watched.position.position_id: watched for watched in rows}, marks, assets)


def _known(connection: Connection, context: Context, cycle: datetime, rows: Sequence[PositionRow]) -> _Known:
    positions = [row.position for row in rows]
    found = blocks(connection, cycle)
    memories = dict(_memories(connection))
    newest = signals_since(connection, dict.fromkeys(map(_series, rows)), cycle)
    begun = [instant for row in rows for instant in _begun(row, newest[_series(row)])]
    return _Known(
        prices=trusted_prices(
            connection, cycle, {row.instrument_id for row in positions}, context.strategy.freshness, found.withheld
        ),
        marks=newest_marks(connection, cycle),
        newest=newest,
        memories=memories,
        signals=_unread(connection, rows, memories, cycle),
        highest=highest_closes(connection, cycle, [row for row in positions if row.holding.quantity]),
        pasts=pasts(connection, positions, min(begun, default=cycle)),
        opened=_opened(open_intents(connection)),
        blocks=found,
    )


def _row(context: Context, run: TaskRun, watched: PositionRow, known: _Known) -> Row:
    position, instrument = watched.position, watched.instrument
    position_id, series = position.position_id, _series(watched)
    found = known.blocks.of(*series)
    newest = known.newest[series]
    return Row(
        position=position,
        instrument=instrument,
        price=known.prices.get(instrument.instrument_id),
        mark=known_mark(known.marks.get(instrument.instrument_id)),
        newest=newest[-1] if newest else None,
        signals=known.signals[position_id],
        memory=known.memories.get(position_id),
        highest_close=known.highest.get(position_id),
        past=known.pasts[position_id],
        open_intents=known.opened.get(position_id, ()),
        block_entries=(*_named(found, Severity.BLOCK_ENTRIES), *_not_wanted(context, run, watched)),
        block_all=_named(found, Severity.BLOCK_ALL),
    )


def _not_wanted(context: Context, run: TaskRun, watched: PositionRow) -> Iterator[str]:
    """What people said: a venue that is switched off, or a run that is about other symbols."""
    if watched.instrument.venue not in context.venues:
        yield "venue_off"
    if run.symbols and watched.instrument.symbol not in run.symbols:
        yield "not_asked_for"


def _named(found: Iterable[tuple[Severity, str]], severity: Severity) -> tuple[str, ...]:
    return tuple(check for how, check in found if how is severity)


def _series(watched: PositionRow) -> SeriesKey:
    return watched.instrument.instrument_id, watched.position.key.timeframe


def _begun(watched: PositionRow, newest: Sequence[Signal]) -> Iterator[datetime]:
    """The bars with which things began that may not be over yet."""
    named = [newest[-1].attempt_id, newest[-1].trend_id, newest[-1].state_since] if newest else []
    holding = watched.position.holding
    return filter(None, [*named, holding.first_fill_at if holding.quantity else None])


def _unread(
    connection: Connection, rows: Sequence[PositionRow], memories: Mapping[UUID, Memory], cycle: datetime
) -> Mapping[UUID, tuple[Signal, ...]]:
    """By position the signals that it has not folded; the newest alone for a row that is planned for the first time."""
    wanted = {
        _series(row): memory.bar_ts if (memory := memories.get(row.position.position_id)) else None for row in rows
    }
    signals = signals_since(connection, wanted, cycle)
    return {row.position.position_id: signals[_series(row)] for row in rows}


def _memories(connection: Connection) -> Iterator[tuple[UUID, Memory]]:
    for row in connection.execute(text("SELECT * FROM planner_state")):
        yield (
            row.position_id,
            Memory(
                generation=row.generation,
                bar_ts=row.bar_ts,
                bar_revision=row.bar_revision,
                trade_no=row.trade_no,
                exit_due=ExitReason(row.exit_due) if row.exit_due else None,
                exit_due_bar=row.exit_due_bar,
                highest=Price(row.highest) if row.highest else None,
                trail_armed=row.trail_armed,
            ),
        )


def _opened(planned: Iterable[OutboxIntent]) -> Mapping[UUID, tuple[OpenIntent, ...]]:
    opened: dict[UUID, tuple[OpenIntent, ...]] = {}
    for one in planned:
        intent = OpenIntent(
            intent_id=one.intent.intent_id,
            side=one.intent.side,
            status=one.status,
            rule=one.intent.rule,
            notional=one.intent.notional,
        )
        opened[one.intent.position_id] = (*opened.get(one.intent.position_id, ()), intent)
    return opened


def _valued_at(mark: SeenMark, price: KnownPrice | None) -> Mark:
    """What is held is worth P; without one, what the venue said last."""
    if price is None:
        return mark
    known = asdict(mark) | {"price": price.price, "source": price.source, "observed_at": price.observed_at}
    return SeenMark(**known)
