"""Reads everything that a plan depends on, each table once."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, text

from strandline.cycle.context import Context
from strandline.cycle.exit_requests import exit_requests
from strandline.cycle.marks import StoredMarks, read_marks
from strandline.cycle.position_rows import PositionRow, position_rows
from strandline.cycle.prices import highest_closes, trusted_prices
from strandline.cycle.regime_inputs import read_regime
from strandline.cycle.runs import TaskRun
from strandline.cycle.signals import SeriesKey, SeriesSignals, revised_signals, signals_since
from strandline.cycle.trade_history import trade_histories
from strandline.execution import OrderedHalt, OutboxIntent, read_halt, read_open
from strandline.ledger.cash import free_cash
from strandline.ledger.equity import Equity, measure, value
from strandline.model.exact import Price
from strandline.model.mark import Mark
from strandline.model.signal import Signal
from strandline.pm.inputs import CycleInputs, ExitRequest, OpenIntent, PlannerState, RowInputs, TradeHistory
from strandline.quality import Blocks, Severity, blocks
from strandline.store.rows import from_row

# From the end of the bar that raised a flag to the fill of its order passes less.
_DECISION_TO_FILL: Final = timedelta(hours=1)


class PlanningData(NamedTuple):
    """The planner's inputs, and what committing the plan needs besides."""

    inputs: CycleInputs
    rows: Mapping[UUID, PositionRow]
    equity: Equity
    halt: OrderedHalt | None


class _Tables(NamedTuple):
    """What was read for all rows at once."""

    prices: Mapping[int, Mark]
    marks: StoredMarks
    signals: SeriesSignals
    revised: SeriesSignals
    states: Mapping[UUID, PlannerState]
    highest: Mapping[UUID, Price]
    histories: Mapping[UUID, TradeHistory]
    open_intents: Mapping[UUID, tuple[OpenIntent, ...]]
    blocks: Blocks
    exit_requests: Mapping[UUID, ExitRequest]


def read_inputs(connection: Connection, context: Context, run: TaskRun) -> PlanningData:
    """Read the inputs of this run's cycle."""
    rows = position_rows(connection)
    tables = _read_tables(connection, context, run.cycle, rows)
    valuation = value(connection, {**tables.marks.newest, **tables.prices}, tables.marks.assets)
    equity, halt = measure(connection, run.cycle, valuation), read_halt(connection)
    inputs = CycleInputs(
        cycle=run.cycle,
        rows=tuple(_row_inputs(context, run, row, tables) for row in rows),
        equity=equity.equity if equity.known else None,
        day_start=equity.day_start,
        peak=equity.peak,
        losing_streak=equity.losing_streak,
        free_cash={str(venue): cash for venue, cash in free_cash(connection).items()},
        block_all_entries=tables.blocks.all_entries,
        tripped_before=equity.breakers,
        halt=halt.halt if halt else None,
        regime=read_regime(connection, run.cycle, context.strategy.drivers.fade_bars),
    )
    return PlanningData(inputs, {row.position.position_id: row for row in rows}, equity, halt)


def _read_tables(connection: Connection, context: Context, cycle: datetime, rows: Sequence[PositionRow]) -> _Tables:
    positions = [row.position for row in rows]
    found = blocks(connection, cycle)
    states = dict(_planner_states(connection))
    cursors = {_series(row): _cursor(row, states) for row in rows}
    signals = signals_since(connection, cursors, cycle)
    planned = {_series(row): state for row in rows if (state := states.get(row.position.position_id)) is not None}
    marks = read_marks(connection, cycle)
    begun = [instant for row in rows for instant in _begun(row, signals.by_series[_series(row)])]
    return _Tables(
        prices=trusted_prices(
            connection,
            cycle,
            {row.instrument_id for row in positions} - found.of_everything,
            context.strategy.freshness,
            marks.of_cycle,
        ),
        marks=marks,
        signals=signals,
        revised=revised_signals(connection, planned),
        states=states,
        highest=highest_closes(connection, cycle, [row for row in positions if row.holding.quantity]),
        histories=trade_histories(connection, positions, min(begun, default=cycle)),
        open_intents=_by_position(read_open(connection)),
        blocks=found,
        exit_requests=exit_requests(connection),
    )


def _row_inputs(context: Context, run: TaskRun, row: PositionRow, tables: _Tables) -> RowInputs:
    position, instrument = row.position, row.instrument
    position_id, series = position.position_id, _series(row)
    findings = tables.blocks.of(*series)
    unreadable = tables.signals.unreadable | tables.revised.unreadable
    signals, cursor = tables.signals.by_series[series], _cursor(row, tables.states)
    return RowInputs(
        position=position,
        instrument=instrument,
        price=tables.prices.get(instrument.instrument_id),
        mark=tables.marks.newest.get(instrument.instrument_id),
        newest=signals[-1] if signals else None,
        signals=tuple(signal for signal in signals if cursor is None or signal.bar_ts > cursor),
        revised=tables.revised.by_series.get(series, ()),
        planner_state=tables.states.get(position_id),
        highest_close=tables.highest.get(position_id),
        history=tables.histories[position_id],
        open_intents=tables.open_intents.get(position_id, ()),
        block_entries=(*_checks(findings, Severity.BLOCK_ENTRIES), *_excluded(context, run, row)),
        block_all=(*_checks(findings, Severity.BLOCK_ALL), *(["unreadable_signal"] if series in unreadable else [])),
        exit_request=tables.exit_requests.get(position_id),
    )


def _excluded(context: Context, run: TaskRun, row: PositionRow) -> Iterator[str]:
    """Why people keep the row from buying: its venue is switched off, or the run is about other symbols."""
    if row.instrument.venue not in context.venues:
        yield "venue_off"
    if run.symbols and row.instrument.symbol not in run.symbols:
        yield "not_asked_for"


def _checks(findings: Iterable[tuple[Severity, str]], severity: Severity) -> tuple[str, ...]:
    return tuple(check for found, check in findings if found is severity)


def _series(row: PositionRow) -> SeriesKey:
    return row.instrument.instrument_id, row.position.key.timeframe


def _cursor(row: PositionRow, states: Mapping[UUID, PlannerState]) -> datetime | None:
    """The bar up to which the row's signals were planned; None for a row that is planned for the first time."""
    state = states.get(row.position.position_id)
    return state.bar_ts if state else None


def _begun(row: PositionRow, signals: Sequence[Signal]) -> Iterator[datetime]:
    """The bars with which the row's attempt, trend, state and trade began, as far as they are not over."""
    if signals:
        newest = signals[-1]
        yield from filter(None, (newest.attempt_id, newest.trend_id, newest.state_since))
    holding = row.position.holding
    if holding.quantity and holding.first_fill_at is not None:
        yield holding.first_fill_at - row.position.key.timeframe.length - _DECISION_TO_FILL


def _planner_states(connection: Connection) -> Iterator[tuple[UUID, PlannerState]]:
    rows = connection.execute(text("SELECT * FROM planner_state"))
    return ((row.position_id, from_row(PlannerState, row)) for row in rows)


def _by_position(intents: Iterable[OutboxIntent]) -> Mapping[UUID, tuple[OpenIntent, ...]]:
    found: dict[UUID, tuple[OpenIntent, ...]] = {}
    for one in intents:
        intent = OpenIntent(
            intent_id=one.intent.intent_id,
            side=one.intent.side,
            status=one.status,
            cycle=one.intent.cycle,
            notional=one.intent.notional,
        )
        found[one.intent.position_id] = (*found.get(one.intent.position_id, ()), intent)
    return found
