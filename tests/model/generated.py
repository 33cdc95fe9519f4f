"""Hypothesis strategies for every domain type, with values that tend to cause failures."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import TypeVar

from hypothesis import strategies as st

from strandline.model.bar import Bar, GapType
from strandline.model.evidence import Evidence
from strandline.model.exact import Amount, Money, Price, Quantity, Ratio
from strandline.model.fill import CashCause, CashEvent, Fill, FillCause
from strandline.model.instrument import Instrument
from strandline.model.intent import Decision, ExecutionIntent, ExitReason, Urgency
from strandline.model.mark import Mark, Quote
from strandline.model.order import SignedOrder
from strandline.model.plan import ExecutionPlan, OrderKind
from strandline.model.position import DesiredStatus, Holding, Position, PositionKey
from strandline.model.record import Record
from strandline.model.result import ExecutionResult, OrderStatus, StillUnknown
from strandline.model.rule import Rule
from strandline.model.side import Side
from strandline.model.signal import EngineState, Flag, Level, Signal
from strandline.model.source import Source
from strandline.model.strand import GENESIS, Strand, StrandKind
from strandline.model.timeframe import Timeframe
from strandline.model.venue import VenueKey

T = TypeVar("T")

_FIRST = datetime(2015, 1, 1, tzinfo=UTC)
_DAYS = 25 * 365
# One number, or two for an instant within a second: quicker to draw than a date in parts.
instants = st.integers(0, _DAYS * 86_400).map(lambda seconds: _FIRST + timedelta(seconds=seconds)) | st.integers(
    0, _DAYS * 86_400 * 10**6
).map(lambda microseconds: _FIRST + timedelta(microseconds=microseconds))
floats = st.floats(allow_nan=False, allow_infinity=False)
units = st.floats(0, 1)
prices_float = st.floats(1e-12, 1e9)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
names = texts.filter(lambda text: bool(text.strip()))
hashes = st.binary(min_size=32, max_size=32).map(bytes.hex)
counts = st.integers(0, 2**53 - 1)
uuids = st.uuids(allow_nil=True)
decimals = st.decimals(Decimal("-1e15"), Decimal("1e15"), allow_nan=False, allow_infinity=False, places=9)

moneys = decimals.map(Money)
amounts = decimals.map(Amount)
ratios = st.decimals(0, 1, places=6).map(Ratio)
quantities = st.decimals(0, Decimal("1e12"), places=9).map(Quantity)
positive_quantities = st.decimals(Decimal("0.000000001"), Decimal("1e12"), places=9).map(Quantity)
prices = st.decimals(Decimal("0.000000001"), Decimal("1e12"), places=9).map(Price)

_venue_names = st.text("abcdefghijklmnopqrstuvwxyz0123456789_", min_size=1, max_size=32)
venues = st.builds(VenueKey, token_chain=_venue_names, book_id=_venue_names)
timeframes = st.sampled_from(Timeframe)
instruments = st.builds(
    Instrument,
    instrument_id=st.integers(1, 2**31 - 1),
    venue=venues,
    token_contract=names,
    symbol=texts,
    lot=positive_quantities,
    min_notional=st.decimals(0, 1000, places=2).map(Money),
)


volumes = st.floats(0, 1e12)


@cache
def optional(strategy: st.SearchStrategy[T]) -> st.SearchStrategy[T | None]:
    """Draw from the strategy, or None. Made once for each strategy, because making one anew is slow."""
    return strategy | st.none()


@st.composite
def bars(draw: st.DrawFn) -> Bar:
    """Any bar that may exist."""
    timeframe = draw(timeframes)
    low, start, end, high = sorted(draw(st.tuples(prices_float, prices_float, prices_float, prices_float)))
    opens_low = draw(st.booleans())
    gap = draw(optional(st.sampled_from(GapType)))
    return Bar(
        instrument_id=draw(st.integers(1, 2**31 - 1)),
        timeframe=timeframe,
        ts=timeframe.start_of(draw(instants)),
        revision=draw(st.integers(0, 99)),
        known_seq=draw(counts),
        open=start if opens_low else end,
        high=high,
        low=low,
        close=end if opens_low else start,
        volume=draw(optional(volumes)),
        quote_volume=draw(optional(volumes)),
        vwap=draw(optional(prices_float)),
        ticks=draw(st.integers(0, 10**6)),
        source=draw(st.sampled_from(Source)),
        outage=draw(st.booleans()),
        dropped=draw(st.integers(0, 99)),
        repaired=draw(st.booleans()),
        gap_detected=gap is not None,
        gap_magnitude_pct=draw(floats),
        gap_type=gap,
    )


levels = st.builds(Level, level_id=instants, price=prices_float, touches=st.integers(1, 64), strength=units)


@st.composite
def signals(draw: st.DrawFn) -> Signal:
    """Any signal."""
    gap = draw(optional(st.sampled_from(GapType)))
    flags = tuple(draw(st.lists(st.sampled_from(Flag), unique=True)))
    return Signal(
        instrument_id=draw(st.integers(1, 2**31 - 1)),
        timeframe=draw(timeframes),
        bar_ts=draw(instants),
        bar_revision=draw(st.integers(0, 9)),
        generation=1,
        bar_count=draw(st.integers(0, 10**6)),
        gap_detected=gap is not None,
        gap_magnitude_pct=draw(floats),
        gap_type=gap,
        state=draw(st.sampled_from(EngineState)),
        state_since=draw(instants),
        flags=flags,
        exit_reason=draw(texts) if Flag.EXIT_POSITION in flags else None,
        ended_by=draw(optional(texts)),
        attempt_id=draw(optional(instants)),
        trend_id=draw(optional(instants)),
        indicators=draw(st.dictionaries(texts, floats, max_size=4)),
        scores=draw(st.dictionaries(texts, floats, max_size=4)),
        terms=draw(st.dictionaries(texts, floats, max_size=4)),
        unknown_terms=tuple(draw(st.lists(texts, max_size=2))),
        levels=tuple(draw(st.lists(levels, max_size=3))),
        engine_version="4",
        input_hash=draw(hashes),
    )


@st.composite
def intents(draw: st.DrawFn) -> ExecutionIntent:
    """Any intent that the planner may make."""
    decision = draw(st.sampled_from(Decision))
    buying = decision.side is Side.BUY
    whole = decision in (Decision.TRAIL, Decision.DEMOTE)
    cycle = draw(instants)
    return ExecutionIntent(
        intent_id=draw(uuids),
        position_id=draw(uuids),
        venue=draw(venues),
        token_contract=draw(names),
        timeframe=draw(timeframes),
        decision=decision,
        exit_reason=draw(st.sampled_from(ExitReason)) if whole else None,
        rule=draw(st.sampled_from(Rule)),
        trade_no=draw(st.integers(0, 999)),
        attempt_no=draw(st.integers(0, 99)),
        size_frac=draw(ratios),
        notional=draw(moneys) if buying else None,
        quantity=None if buying else draw(quantities),
        urgency=draw(st.sampled_from(Urgency)),
        max_slippage_bps=draw(st.integers(0, 10_000)),
        reduce_only=not buying,
        reasons=tuple(draw(st.lists(texts, max_size=3))),
        state=draw(st.sampled_from(EngineState)),
        appetite=draw(units),
        exit_urgency=draw(units),
        decision_price=draw(prices),
        source_bar=draw(instants),
        source_revision=draw(st.integers(0, 9)),
        attempt_id=draw(instants),
        trend_id=draw(instants),
        state_since=draw(instants),
        bar_count=draw(st.integers(1, 9999)),
        level_id=draw(instants),
        cycle=cycle,
        expires_at=cycle + timedelta(seconds=draw(st.integers(1, 600))),
        strategy_hash=draw(hashes),
    )


@st.composite
def plans(draw: st.DrawFn) -> ExecutionPlan:
    """Any plan."""
    side = draw(st.sampled_from(Side))
    prepared = draw(instants)
    return ExecutionPlan(
        intent_id=draw(uuids),
        attempt=draw(st.integers(1, 99)),
        venue=draw(venues),
        token_contract=draw(names),
        side=side,
        kind=draw(st.sampled_from(OrderKind)),
        quantity=draw(positive_quantities),
        limit_price=draw(prices),
        reduce_only=side is Side.SELL,
        prepared_at=prepared,
        deadline=prepared + timedelta(seconds=draw(st.integers(1, 600))),
        details=draw(st.dictionaries(texts, texts, max_size=3)),
    )


@st.composite
def fills(draw: st.DrawFn) -> Fill:
    """Any fill."""
    cause = draw(st.sampled_from(FillCause))
    return Fill(
        venue=draw(venues),
        venue_fill_id=draw(names),
        order_id=draw(uuids) if cause is FillCause.ORDER else None,
        token_contract=draw(names),
        side=draw(st.sampled_from(Side)),
        price=draw(prices),
        quantity=draw(positive_quantities),
        fee=draw(moneys),
        cause=cause,
        ts=draw(instants),
    )


cash_events = st.builds(
    CashEvent,
    venue=venues,
    venue_event_id=names,
    cause=st.sampled_from(CashCause),
    asset=names,
    amount=amounts,
    usd=moneys,
    ts=instants,
)


few_fills = st.lists(fills(), max_size=3)


@st.composite
def results(draw: st.DrawFn) -> ExecutionResult:
    """Any result whose parts agree."""
    parts = tuple(draw(few_fills))
    filled = Quantity(0)
    for part in parts:
        filled = filled + part.quantity
    undecided = [OrderStatus.SENT, OrderStatus.UNKNOWN]
    statuses = [OrderStatus.FILLED, *undecided] if parts else [OrderStatus.UNFILLED, OrderStatus.DEAD, *undecided]
    return ExecutionResult(
        order_id=draw(uuids),
        status=draw(st.sampled_from(statuses)),
        venue_order_id=draw(optional(names)),
        fills=parts,
        filled=filled,
        average_price=draw(prices) if parts else None,
        slippage_bps=draw(optional(floats)),
        fees=draw(moneys),
        error=draw(optional(texts)),
        seen_at=draw(instants),
        cash_events=tuple(draw(st.lists(cash_events, max_size=2))),
    )


evidence = st.builds(
    Evidence,
    appetite=units,
    exit_urgency=units,
    rules_not_fired=st.dictionaries(texts, texts, max_size=2),
    terms=st.dictionaries(texts, floats, max_size=3),
    inputs=st.dictionaries(texts, texts, max_size=2),
)
orders = st.builds(
    SignedOrder,
    plan=plans(),
    address=names,
    client_order_id=names,
    nonce=optional(counts),
    signature=optional(names),
    signed_bytes=st.binary(min_size=1, max_size=20),
    last_valid_height=optional(counts),
)
marks = st.builds(Mark, price=prices, source=texts, observed_at=instants)


@st.composite
def quotes(draw: st.DrawFn) -> Quote:
    """Any quote whose sides agree."""
    bid, ask = sorted(draw(st.tuples(prices, prices)))
    return Quote(token_contract=draw(names), bid=bid, ask=ask, observed_at=draw(instants))


unknowns = st.builds(StillUnknown, order_id=uuids, reason=texts, seen_at=instants)
keys = st.builds(PositionKey, venue=venues, token_contract=names, timeframe=timeframes)


@st.composite
def holdings(draw: st.DrawFn) -> Holding:
    """Flat, or holding something."""
    quantity = draw(quantities)
    return Holding(
        trade_no=draw(st.integers(0, 99)),
        quantity=quantity,
        average_entry=draw(prices) if quantity else None,
        invested=draw(moneys),
        extracted=draw(moneys),
        realised_pnl=draw(moneys),
        fees=draw(moneys),
        first_fill_at=draw(instants) if quantity else None,
        last_fill_at=draw(optional(instants)),
    )


positions = st.builds(
    Position,
    key=keys,
    instrument_id=st.integers(1, 2**31 - 1),
    desired_status=st.sampled_from(DesiredStatus),
    weight=ratios,
    ready=st.booleans(),
    holding=holdings(),
)


any_intents, any_plans, any_results = intents(), plans(), results()


@st.composite
def strands(draw: st.DrawFn, chain: str = "hyperliquid/perps", seq: int = 1, previous: str = GENESIS) -> Strand:
    """Any strand; by default the first of a chain."""
    kind = draw(st.sampled_from(StrandKind))
    return Strand(
        strand_id=draw(uuids),
        chain=chain,
        seq=seq,
        previous=previous,
        kind=kind,
        ts=draw(instants),
        cycle=draw(optional(instants)),
        position_id=draw(optional(uuids)),
        token_contract=draw(optional(names)),
        symbol=draw(optional(names)),
        state=draw(optional(st.sampled_from(EngineState))),
        rule=draw(optional(st.sampled_from(Rule))),
        reasons=tuple(draw(st.lists(texts, max_size=2))),
        rules_not_fired=draw(st.dictionaries(texts, texts, max_size=2)),
        appetite=draw(optional(units)),
        exit_urgency=draw(optional(units)),
        terms=draw(st.dictionaries(texts, floats, max_size=3)),
        inputs=draw(st.dictionaries(texts, texts, max_size=2)),
        intent=draw(optional(any_intents)) if kind is not StrandKind.HOLD else None,
        plan=draw(optional(any_plans)),
        skip_reason=draw(optional(texts)),
        result=draw(optional(any_results)),
        pnl=draw(optional(moneys)),
        executed_at=draw(optional(instants)),
        code_version=draw(texts),
        strategy_hash=draw(hashes),
    )


records: st.SearchStrategy[Record] = st.one_of(
    venues,
    instruments,
    bars(),
    levels,
    signals(),
    intents(),
    plans(),
    fills(),
    cash_events,
    evidence,
    orders,
    marks,
    quotes(),
    results(),
    unknowns,
    keys,
    holdings(),
    positions,
    strands(),
)
