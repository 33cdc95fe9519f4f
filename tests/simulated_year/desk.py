"""A desk that trades the simulated market: the real engine, planner and ledger, and fills at P for a fee."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import numpy as np

from strandline.cycle.trade_history import history_of
from strandline.engine import Bars, Engine, Series
from strandline.engine.bars import micros
from strandline.execution import FilledIntent
from strandline.ledger.account import Account
from strandline.ledger.books import Books, CashEntry, FillEntry, Trade
from strandline.model.breaker import Breaker
from strandline.model.exact import Amount, Money, Price, Quantity, Ratio
from strandline.model.instrument import Instrument
from strandline.model.intent import ExecutionIntent
from strandline.model.mark import Mark
from strandline.model.position import DesiredStatus, Holding, Position, PositionKey
from strandline.model.rule import Rule
from strandline.model.side import Side
from strandline.model.signal import Signal
from strandline.model.strategy import Strategy
from strandline.model.timeframe import Timeframe
from strandline.pm import plan
from strandline.pm.decisions import RowDecision
from strandline.pm.inputs import CycleInputs, LastLoss, PlannerState, RegimeInputs, RowInputs
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from tests.simulated_year.market import BEGIN, HISTORY_DAYS, TOKENS, FiveMinutes, bars_of
from tests.simulated_year.regime import regimes

CYCLE: Final = timedelta(minutes=15)
FEE: Final = Ratio("0.0008")
CAPITAL: Final = Money(100_000)
WEIGHTS: Final = {Timeframe.M15: Ratio("0.15"), Timeframe.H1: Ratio("0.40")}
_ACCOUNT: Final = Account(HYPERLIQUID_PERPS, "0x0000000000000000000000000000000000000001")
_HISTORY_BARS: Final = 800
_FIVE_MINUTES: Final = timedelta(minutes=5)
_READABLE: Final = 8
"""How many of a row's newest signals are at hand: flags stay fresh for fewer bars."""


@dataclass
class Row:
    """A position row, and what its cycles have left."""

    key: PositionKey
    instrument: Instrument
    signals: Iterator[Signal]
    seen: list[Signal] = field(default_factory=list)
    coming: Signal | None = None
    state: PlannerState | None = None
    filled: list[FilledIntent] = field(default_factory=list)
    ended: list[tuple[int, Rule]] = field(default_factory=list)
    failed: int = 0
    last_loss: LastLoss | None = None
    highest: Price | None = None


@dataclass
class Cycle:
    """What one cycle decided and did."""

    at: datetime
    decisions: Sequence[RowDecision]
    prices: Mapping[str, Price]
    equity: Money
    exposure: Money
    tripped: Sequence[Breaker]


class Desk:
    """Ten rows: five tokens on 15m and 1h."""

    def __init__(self, tokens: Mapping[str, FiveMinutes], strategy: Strategy, *, with_regime: bool = True) -> None:
        self._tokens = tokens
        self._strategy = strategy
        self._engine = Engine(strategy)
        self._regimes = regimes(tokens, self._engine, strategy) if with_regime else None
        self.books = Books()
        self.books.post_cash(CashEntry(account=_ACCOUNT, asset="USDC", amount=Amount(str(CAPITAL))))
        self._day_start, self._peak, self._streak = CAPITAL, CAPITAL, 0
        self.rows = [
            self._row(token, number, timeframe) for number, token in enumerate(TOKENS, 1) for timeframe in WEIGHTS
        ]

    def trade(self, days: int) -> Iterator[Cycle]:
        """Trade so many days, a cycle every fifteen minutes."""
        for number in range(1, days * (timedelta(days=1) // CYCLE) + 1):
            yield self._cycle(BEGIN + number * CYCLE)

    def holding(self, row: Row) -> Holding:
        """What a row holds."""
        return self.books.holdings.get(row.key.position_id, Holding())

    @property
    def cash(self) -> Money:
        """The account's cash."""
        return Money(str(self.books.cash[(_ACCOUNT, "USDC")]))

    def _row(self, token: str, number: int, timeframe: Timeframe) -> Row:
        key = PositionKey(venue=HYPERLIQUID_PERPS, token_contract=token, timeframe=timeframe)
        instrument = Instrument(
            instrument_id=number,
            venue=HYPERLIQUID_PERPS,
            token_contract=token,
            symbol=token,
            lot=Quantity("0.0001"),
            min_notional=Money(10),
        )
        bars = bars_of(self._tokens[token], timeframe)
        first = int(np.searchsorted(bars.ts, micros(BEGIN))) - _HISTORY_BARS
        return Row(key, instrument, self._signals(Series(number, timeframe, 1), bars, first))

    def _signals(self, series: Series, bars: Bars, first: int) -> Iterator[Signal]:
        """The signals of a series, made a thousand bars at a time: the year has too many to hold."""
        state = self._engine.new_state()
        for start in range(first, len(bars.ts), 1000):
            part = Bars._make(column[start : start + 1000] for column in bars)
            state, outputs = self._engine.run(state, part)
            yield from self._engine.signals(outputs, [series])

    def _cycle(self, at: datetime) -> Cycle:
        prices = {token: self._price(token, at) for token in TOKENS}
        equity = self._equity(prices)
        if at - Timeframe.D1.start_of(at) < CYCLE:
            self._begin_day(equity)
        self._peak = max(self._peak, equity)
        inputs = CycleInputs(
            cycle=at,
            rows=tuple(self._inputs(row, at, prices[row.key.token_contract]) for row in self.rows),
            equity=equity,
            day_start=self._day_start,
            peak=self._peak,
            losing_streak=self._streak,
            free_cash={str(HYPERLIQUID_PERPS): equity - self._exposure(prices)},
            regime=self._regimes.at(at) if self._regimes else RegimeInputs(),
        )
        planned = plan(inputs, self._strategy)
        rows = {row.key.position_id: row for row in self.rows}
        for decision in planned.decisions:
            row = rows[decision.position_id]
            row.state = decision.planner_state or row.state
            if decision.intent is not None:
                self._fill(row, decision.intent, prices[row.key.token_contract], at)
        return Cycle(at, planned.decisions, prices, equity, self._exposure(prices), planned.breakers)

    def _begin_day(self, equity: Money) -> None:
        """A person looks every midnight, and resets the breakers."""
        self._day_start = equity
        if self._streak >= self._strategy.breakers.max_consecutive_losses:
            self._peak, self._streak = equity, 0

    def _inputs(self, row: Row, at: datetime, price: Price) -> RowInputs:
        self._read_signals(row, at)
        holding = self.holding(row)
        row.highest = max(row.highest or price, price) if holding.quantity else None
        position = Position(
            key=row.key,
            instrument_id=row.instrument.instrument_id,
            desired_status=DesiredStatus.OPEN,
            weight=WEIGHTS[row.key.timeframe],
            ready=True,
            holding=holding,
        )
        mark = Mark(price=price, source="bar 5m", observed_at=at)
        newest = row.seen[-1] if row.seen else None
        unread = [one for one in row.seen if row.state is None or one.bar_ts > row.state.bar_ts]
        ended = [rule for trade_no, rule in row.ended if trade_no == holding.trade_no and holding.quantity]
        return RowInputs(
            position=position,
            instrument=row.instrument,
            price=mark,
            mark=mark,
            newest=newest,
            signals=tuple(unread if row.state is not None else unread[-1:]),
            planner_state=row.state,
            highest_close=row.highest,
            history=history_of(position, row.filled, ended, row.failed, row.last_loss),
        )

    def _read_signals(self, row: Row, at: datetime) -> None:
        while row.coming is None or row.coming.bar_end <= at:
            if row.coming is not None:
                row.seen = [*row.seen[1 - _READABLE :], row.coming]
            row.coming = next(row.signals, None)
            if row.coming is None:
                break

    def _fill(self, row: Row, intent: ExecutionIntent, price: Price, at: datetime) -> None:
        """Fill the whole intent at P."""
        quantity = intent.quantity or (intent.notional or Money(0)).buys(price, row.instrument.lot)
        before = self.holding(row)
        self.books.post_fill(
            FillEntry(
                account=_ACCOUNT,
                margined=True,
                position_id=row.key.position_id,
                order_id=intent.intent_id,
                token_contract=row.key.token_contract,
                side=intent.side,
                price=price,
                quantity=quantity,
                fee=(price * quantity) * FEE,
                ts=at,
                dust_below=row.instrument.lot,
                closes_as=intent.exit_reason or "trim",
                finished=True,
            )
        )
        row.filled.append(
            FilledIntent(
                intent_id=intent.intent_id,
                position_id=intent.position_id,
                trade_no=intent.trade_no,
                rule=intent.rule,
                side=intent.side,
                attempt_id=intent.attempt_id,
                trend_id=intent.trend_id,
                state_since=intent.state_since,
                bar_count=intent.bar_count,
                level_id=intent.level_id,
                quantity=quantity,
                average_price=price,
            )
        )
        row.filled = row.filled[-60:]
        if intent.side is Side.SELL:
            row.ended.append((intent.trade_no, intent.rule))
            if not self.holding(row).quantity:
                self._close(row, before.trade_no)

    def _close(self, row: Row, trade_no: int) -> None:
        trade = self.books.trades[(row.key.position_id, trade_no)]
        lost = float(trade.net_pnl) < 0
        row.failed = row.failed + 1 if lost else 0
        self._streak = self._streak + 1 if lost else 0
        row.last_loss = LastLoss(trade_no=trade_no, trend_id=row.seen[-1].trend_id) if lost else None

    def _price(self, token: str, at: datetime) -> Price:
        """The close of the five minutes that end at this instant."""
        place = (at - BEGIN + timedelta(days=HISTORY_DAYS)) // _FIVE_MINUTES - 1
        return Price.from_float(round(float(self._tokens[token].close[place]), 4))

    def _exposure(self, prices: Mapping[str, Price]) -> Money:
        return sum((prices[row.key.token_contract] * self.holding(row).quantity for row in self.rows), Money(0))

    def _equity(self, prices: Mapping[str, Price]) -> Money:
        """Cash and what has been gained or lost on what is held: a perpetual is not paid for."""
        gains = (
            prices[row.key.token_contract] * holding.quantity - holding.cost
            for row in self.rows
            if (holding := self.holding(row)).quantity
        )
        return sum(gains, self.cash)

    @property
    def trades(self) -> Mapping[tuple[UUID, int], Trade]:
        """The trades that are closed."""
        return self.books.trades
