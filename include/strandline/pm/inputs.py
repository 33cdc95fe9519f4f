"""Everything that a plan depends on: equal inputs give equal plans."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from strandline.model.breaker import Breaker
from strandline.model.control import Halt
from strandline.model.exact import Money, Price
from strandline.model.instrument import Instrument
from strandline.model.intent import ExitReason, IntentStatus
from strandline.model.mark import Mark
from strandline.model.position import DesiredStatus, Position
from strandline.model.record import Record, require
from strandline.model.regime import MACRO, MESO, Phase
from strandline.model.rule import Rule
from strandline.model.side import Side
from strandline.model.signal import Flag, Signal


class PlannerState(Record, frozen=True, kw_only=True):
    """What the planner keeps of a row from one cycle to the next.

    Generation, bar and revision are the cursor: the last signal that was acted on; `restep` is the generation's last
    restep that was read. The rest belongs to `trade_no`, the open trade or the one that a buy would open.
    `released_trade_no` is the last trade whose loss keeps the row from buying no more, `settled_request` the last
    request to exit that is done with.
    """

    generation: int
    bar_ts: datetime
    bar_revision: int
    restep: int = 0
    trade_no: int
    exit_due: ExitReason | None = None
    exit_due_bar: datetime | None = None
    highest: Price | None = None
    trail_armed: bool = False
    released_trade_no: int | None = None
    settled_request: int = 0

    def check(self) -> None:
        require((self.exit_due is None) is (self.exit_due_bar is None), "an exit that is due names its bar")


class OpenIntent(Record, frozen=True, kw_only=True):
    """An intent of the row that may still become a fill. `notional` is what an entry may cost."""

    intent_id: UUID
    side: Side
    status: IntentStatus
    cycle: datetime
    notional: Money | None

    def check(self) -> None:
        require(self.status.open, "an intent that has ended is not open")
        require((self.notional is not None) is (self.side is Side.BUY), "an entry has a notional, an exit has none")


class LastTrim(Record, frozen=True, kw_only=True):
    """The newest filled trim of the open trade: its bar's count, and the level nearest to that bar's close."""

    bar_count: int
    level_id: datetime


class Rung(Record, frozen=True, kw_only=True):
    """A filled buy of a trend's ladder, and its average price."""

    trend_id: datetime
    price: Price


class LastLoss(Record, frozen=True, kw_only=True):
    """The newest closed trade, which lost; `trend_id` if it was closed inside S3."""

    trade_no: int
    trend_id: datetime | None


class TradeHistory(Record, frozen=True, kw_only=True):
    """Earlier intents and trades of the row. Buys and trims count from their fills; `ended_exits` counts skips as well.

    The instants are fields of the filled intents: `attempt_id` of first buys, `state_since` of S2 buys, `trend_id` of
    first dips, of reclaims, and of the emergencies that sold (`trends_fled`). `ladder` has the rungs in the order in
    which they were filled. `last_buy_bar` is the bar count of the open trade's newest buy. `ended_exits` has the rule
    of every ended exit and trim of the open trade.
    """

    attempts_bought: tuple[datetime, ...] = ()
    s2_visits_bought: tuple[datetime, ...] = ()
    trends_dipped: tuple[datetime, ...] = ()
    ladder: tuple[Rung, ...] = ()
    trends_fled: tuple[datetime, ...] = ()
    trends_reclaimed: tuple[datetime, ...] = ()
    last_trim: LastTrim | None = None
    last_buy_bar: int | None = None
    ended_exits: tuple[Rule, ...] = ()
    failed_attempts: int = 0
    last_loss: LastLoss | None = None

    def check(self) -> None:
        require(self.failed_attempts >= 0, "failed_attempts is not negative")


class ExitRequest(Record, frozen=True, kw_only=True):
    """A person's order to sell the row, whatever else holds. Later requests have higher numbers."""

    number: int
    request_id: UUID


class RowInputs(Record, frozen=True, kw_only=True):
    """One position row at the cycle.

    `price` is P, and None if there is none that can be trusted; `mark` is the venue's newest, however old. `newest` is
    the newest signal of the adopted generation, `signals` are those after the cursor, oldest first; without a planner
    state that is the newest alone. `revised` are those up to the cursor that a restep made anew. `highest_close` is the
    highest 5m close since the trade's first fill.
    `block_entries` and `block_all` name the quality findings of the instrument. `exit_request` is the newest that a
    person has made, done with or not.
    """

    position: Position
    instrument: Instrument
    price: Mark | None
    mark: Mark | None
    newest: Signal | None
    signals: tuple[Signal, ...]
    revised: tuple[Signal, ...] = ()
    planner_state: PlannerState | None
    highest_close: Price | None = None
    history: TradeHistory = TradeHistory()
    open_intents: tuple[OpenIntent, ...] = ()
    block_entries: tuple[str, ...] = ()
    block_all: tuple[str, ...] = ()
    exit_request: ExitRequest | None = None

    def check(self) -> None:
        key = self.position.key
        require(self.position.desired_status is not DesiredStatus.ARCHIVED, f"{key} is archived: it is not planned for")
        require(
            (key.venue, key.token_contract) == (self.instrument.venue, self.instrument.token_contract),
            f"{key} is not a row of {self.instrument.venue}/{self.instrument.token_contract}",
        )
        order = [(signal.bar_ts, signal.bar_revision) for signal in self.signals]
        require(order == sorted(set(order)), f"the signals of {key} must come oldest first, each once")
        require(not order or self.newest is not None, f"{key} has signals, but no newest one")

    @property
    def trade_no(self) -> int:
        """The number of the open trade, or of the one that a buy would open."""
        holding = self.position.holding
        return holding.trade_no if holding.quantity else holding.trade_no + 1

    @property
    def in_trade(self) -> bool:
        """Whether the row holds something, or has a buy that may still become a holding."""
        buying = any(intent.side is Side.BUY for intent in self.open_intents)
        return bool(self.position.holding.quantity) or buying

    @property
    def trade_since(self) -> datetime | None:
        """The first fill of the trade, or the first decision to buy of those that may still become it."""
        if self.position.holding.quantity:
            return self.position.holding.first_fill_at
        return min((intent.cycle for intent in self.open_intents if intent.side is Side.BUY), default=None)

    @property
    def trade_state(self) -> PlannerState | None:
        """The planner state if it belongs to this trade; an older trade's exits and trail are over."""
        state = self.planner_state
        return state if state and self.in_trade and state.trade_no == self.trade_no else None

    @property
    def must_exit(self) -> bool:
        """Whether a person wants it sold; what was asked for while there was nothing to sell is done with."""
        settled = self.planner_state.settled_request if self.planner_state else 0
        return self.in_trade and self.exit_request is not None and self.exit_request.number > settled

    @property
    def reserved(self) -> Money:
        """What the row's open entries may still cost."""
        return sum((intent.notional for intent in self.open_intents if intent.notional is not None), Money(0))


class PhaseInputs(Record, frozen=True, kw_only=True):
    """The newest bar of the market's index on one timeframe: the phase that counts, and the one that the bar shows."""

    bar_ts: datetime
    bar_revision: int
    phase: Phase
    shown: Phase
    shown_bars: int


class RaisedFlags(Record, frozen=True, kw_only=True):
    """A bar that raised flags."""

    bar_ts: datetime
    flags: tuple[Flag, ...]


class DriverInputs(Record, frozen=True, kw_only=True):
    """The newest 1h bar of a series that drives the market, and the newest bars that raised flags, oldest first."""

    bar_ts: datetime
    bar_revision: int
    bar_count: int
    raised: tuple[RaisedFlags, ...] = ()


class RegimeInputs(Record, frozen=True, kw_only=True):
    """What is known of the market: phases on 1h (`meso`) and 1d (`macro`), drivers on 1h. None where nothing is."""

    meso: PhaseInputs | None = None
    macro: PhaseInputs | None = None
    btc: DriverInputs | None = None
    index: DriverInputs | None = None

    def ends(self) -> tuple[datetime, ...]:
        """When the bars end that this was read from."""
        hours = [one.bar_ts + MESO.length for one in (self.meso, self.btc, self.index) if one is not None]
        return (*hours, *([self.macro.bar_ts + MACRO.length] if self.macro else ()))


class CycleInputs(Record, frozen=True, kw_only=True):
    """All rows that are not archived, and the portfolio that they share.

    `equity` is None when something held cannot be valued. `day_start` and `peak` are what the breakers compare it with,
    `tripped_before` are those that an earlier cycle tripped and that are not reset. `free_cash` is by `str(VenueKey)`
    and still holds what open entries may cost; a venue that is not named has none. `block_all_entries` names what stops
    every entry.
    """

    cycle: datetime
    rows: tuple[RowInputs, ...]
    equity: Money | None
    day_start: Money | None
    peak: Money | None
    losing_streak: int
    free_cash: Mapping[str, Money]
    block_all_entries: tuple[str, ...] = ()
    regime: RegimeInputs = RegimeInputs()
    tripped_before: tuple[Breaker, ...] = ()
    halt: Halt | None = None

    def check(self) -> None:
        ids = [row.position.position_id for row in self.rows]
        require(len(set(ids)) == len(ids), "a row is given twice")
        require(self.losing_streak >= 0, "losing_streak is not negative")
        seen = [row.newest for row in self.rows if row.newest is not None]
        ahead = [signal for signal in seen if signal.bar_end > self.cycle]
        require(not ahead, "a signal is of a bar that ends after the cycle")
        require(max(self.regime.ends(), default=self.cycle) <= self.cycle, "the regime's bar ends after the cycle")
