"""The demo's market: whenever the first cycle comes, it has entries on both venues whose orders can be filled."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final

import pytest

from strandline.cli.demo.first_cycle import first_cycle
from strandline.cli.demo.market import SCENARIO, SEED, rows
from strandline.cli.demo.seed import recorded
from strandline.cycle.cycle_time import CYCLE_LENGTH, last_complete_cycle
from strandline.engine import Engine, Series, as_bars
from strandline.model.exact import Money, Price, Quantity
from strandline.model.instrument import Instrument
from strandline.model.intent import Decision, ExecutionIntent
from strandline.model.mark import Mark
from strandline.model.position import DesiredStatus, Holding, Position, PositionKey
from strandline.model.signal import Signal
from strandline.model.timeframe import Timeframe
from strandline.model.venue import VenueKey
from strandline.pm import plan
from strandline.pm.inputs import CycleInputs, RowInputs
from strandline.settings import Settings
from strandline.strategy import load_strategy
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from strandline.venues.solana.key import SOLANA_ONCHAIN
from strandline_sim.market.market import Market
from strandline_sim.prepared_markets import prepared_market
from strandline_sim.solana.tokens import DEFAULT_TOKENS
from strandline_sim.world import market_of

STRATEGY: Final = load_strategy(Settings())
SCENE: Final = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LOADED_BARS: Final = 800
RECORDED: Final = timedelta(minutes=4_900)
CYCLES: Final = 6
SLOWEST: Final = timedelta(minutes=22)
"""Between the start of the demo and the data of every row."""

MINUTE: Final = timedelta(minutes=1)
TOKENS: Final = {str(token.mint): token for token in DEFAULT_TOKENS}
LEAST_ENTRIES: Final = 2
"""On each venue, of those that can be filled at any moment: one that cannot be does not fail the demo."""

Bar = tuple[int, float, float, float, float, float | None]
"""Microseconds since 1970, open, high, low, close, volume."""


@cache
def market() -> Market:
    prepared = prepared_market(SCENARIO, _ms(SCENE))
    return market_of(SEED, prepared.perps, prepared.scenario, prepared.shifts)


@pytest.mark.parametrize("polled_since", [timedelta(minutes=-1), timedelta(seconds=20), timedelta(minutes=9)])
@pytest.mark.parametrize("poll_phase", [0.0, 1.7, 3.9])
def test_every_cycle_that_can_be_the_first_has_entries_that_can_be_filled(
    polled_since: timedelta, poll_phase: float
) -> None:
    """Tokens have recorded prices until the sidecar polls them, every five seconds, from any moment on."""
    signals = {
        key: dict(_signals(number, key, SCENE + polled_since, poll_phase))
        for number, key in enumerate(_keys(), start=1)
    }
    for cycle in (SCENE + number * CYCLE_LENGTH for number in range(CYCLES)):
        entries = _entries(cycle, signals)
        for venue in (HYPERLIQUID_PERPS, SOLANA_ONCHAIN):
            fillable = [intent for intent in entries[venue] if _always_fillable(intent, cycle)]
            assert len(fillable) >= LEAST_ENTRIES, (cycle, venue, [intent.token_contract for intent in entries[venue]])


@pytest.mark.parametrize("second", range(300))
def test_the_first_cycle_is_one_of_those(second: int) -> None:
    """Whatever the second of the start and however slow the start-up."""
    started_at = SCENE + timedelta(seconds=second)
    scene = last_complete_cycle(started_at)
    for slowness in range(0, int(SLOWEST.total_seconds()), 7):
        since_scene = first_cycle(started_at + timedelta(seconds=slowness)) - scene
        assert timedelta(0) <= since_scene < CYCLES * CYCLE_LENGTH


def _entries(
    cycle: datetime, signals: Mapping[PositionKey, Mapping[datetime, Signal]]
) -> Mapping[VenueKey, list[ExecutionIntent]]:
    """What a first cycle buys."""
    inputs = [
        _row(number, key, signals[key].get(key.timeframe.last_final(cycle)), signals, cycle)
        for number, key in enumerate(signals, start=1)
    ]
    cash = {str(venue): Money(5000) for venue in (HYPERLIQUID_PERPS, SOLANA_ONCHAIN)}
    money = Money(10_000)
    decided = plan(
        CycleInputs(
            cycle=cycle,
            rows=tuple(inputs),
            equity=money,
            day_start=money,
            peak=money,
            losing_streak=0,
            free_cash=cash,
        ),
        STRATEGY,
    )
    bought: dict[VenueKey, list[ExecutionIntent]] = {venue: [] for venue in (HYPERLIQUID_PERPS, SOLANA_ONCHAIN)}
    for decision in decided.decisions:
        if decision.intent is not None and decision.intent.decision is Decision.ADD:
            bought[decision.intent.venue].append(decision.intent)
    return bought


def _row(
    number: int,
    key: PositionKey,
    newest: Signal | None,
    signals: Mapping[PositionKey, Mapping[datetime, Signal]],
    cycle: datetime,
) -> RowInputs:
    minute = signals[next(other for other in signals if _same_token(other, key))][cycle - MINUTE]
    price = Mark(price=Price.from_float(minute.indicators["close"]), source="1m bar", observed_at=cycle)
    position = Position(
        key=key,
        instrument_id=number,
        desired_status=DesiredStatus.OPEN,
        weight=next(weight for listed, weight in rows(STRATEGY) if listed == key),
        ready=True,
        holding=Holding(),
    )
    instrument = Instrument(
        instrument_id=number,
        venue=key.venue,
        token_contract=key.token_contract,
        symbol=_symbol(key),
        lot=Quantity("0.00001"),
        min_notional=Money(10),
    )
    return RowInputs(
        position=position,
        instrument=instrument,
        price=price,
        mark=price,
        newest=newest,
        signals=() if newest is None else (newest,),
        planner_state=None,
    )


def _signals(number: int, key: PositionKey, polled_since: datetime, phase: float) -> Iterator[tuple[datetime, Signal]]:
    """The engine's signals by the start of their bars, as far as a first cycle can read them."""
    width = int(key.timeframe.length / MINUTE)
    until = SCENE + CYCLES * CYCLE_LENGTH
    minutes = list(_minutes(key, until, polled_since, phase))
    bars = [_merged(minutes[start : start + width]) for start in range(0, len(minutes), width)]
    engine = Engine(STRATEGY)
    ts, *prices = zip(*bars, strict=True)
    columns = as_bars(ts, [0] * len(bars), *prices, *[[0] * len(bars)] * 3)
    _, outputs = engine.run(engine.new_state(), columns, keep=CYCLES * 5 + 10)
    for signal in engine.signals(outputs, [Series(number, key.timeframe, 1)]):
        yield signal.bar_ts, signal


def _minutes(key: PositionKey, until: datetime, polled_since: datetime, phase: float) -> Iterator[Bar]:
    """Candles of a perp; of a token the bars of its recorded prices, and then of its polled ones."""
    symbol = _symbol(key)
    if key.venue == HYPERLIQUID_PERPS:
        for candle in market().candles(symbol, 60_000, _ms(SCENE - LOADED_BARS * key.timeframe.length), _ms(until)):
            opened, high, low, close = map(float, (candle.open, candle.high, candle.low, candle.close))
            yield candle.time * 1000, opened, high, low, close, float(candle.volume)
        return
    known: dict[datetime, list[float]] = {}
    for instant, price in recorded(market(), symbol, frozenset(), polled_since):
        known.setdefault(instant.replace(second=0), []).append(price)
    at = max(known) + MINUTE + timedelta(seconds=phase)
    while at < until:
        polled = float(market().price(symbol, _ms(at)))
        known.setdefault(at.replace(second=0, microsecond=0), []).append(polled)
        at += timedelta(seconds=5)
    for minute in sorted(minute for minute in known if minute >= SCENE - RECORDED):
        prices = known[minute]
        yield _ms(minute) * 1000, prices[0], max(prices), min(prices), prices[-1], None


def _merged(minutes: list[Bar]) -> Bar:
    ts, opens, highs, lows, closes, volumes = zip(*minutes, strict=True)
    known = [volume for volume in volumes if volume is not None]
    return ts[0], opens[0], max(highs), min(lows), closes[-1], sum(known) if known else None


def _always_fillable(intent: ExecutionIntent, cycle: datetime) -> bool:
    """Whether the price allows it at every moment at which a first cycle may send it."""
    decided, budget = float(intent.decision_price.decimal), intent.max_slippage_bps / 10_000
    for seconds in range(1, int(CYCLE_LENGTH.total_seconds())):
        price = float(market().price(_symbol_of(intent), _ms(cycle + timedelta(seconds=seconds))))
        if intent.venue == SOLANA_ONCHAIN:
            fee = TOKENS[intent.token_contract].pool_fee_bps / 10_000
            if price * (1 + fee) > decided * (1 + budget):
                return False
        elif abs(price / decided - 1) > budget:
            return False
    return True


def _keys() -> list[PositionKey]:
    return [key for key, _ in rows(STRATEGY)]


def _same_token(one: PositionKey, other: PositionKey) -> bool:
    same = (one.venue, one.token_contract) == (other.venue, other.token_contract)
    return same and one.timeframe is Timeframe.M1


def _symbol(key: PositionKey) -> str:
    return TOKENS[key.token_contract].symbol if key.venue == SOLANA_ONCHAIN else key.token_contract


def _symbol_of(intent: ExecutionIntent) -> str:
    return TOKENS[intent.token_contract].symbol if intent.venue == SOLANA_ONCHAIN else intent.token_contract


def _ms(instant: datetime) -> int:
    return int(instant.timestamp() * 1000)
