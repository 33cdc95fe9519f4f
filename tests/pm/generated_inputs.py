"""Hypothesis strategies for rows and cycles: rows with a flag raised, each with up to three complications."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, TypeAlias
from uuid import UUID

from hypothesis import strategies as st

from strandline.model.breaker import Breaker
from strandline.model.control import Halt
from strandline.model.exact import Money, Price
from strandline.model.intent import ExitReason, IntentStatus
from strandline.model.position import DesiredStatus, Holding
from strandline.model.regime import MACRO, Phase
from strandline.model.rule import Rule
from strandline.model.side import Side
from strandline.model.signal import EngineState, Flag
from strandline.model.timeframe import Timeframe
from strandline.pm.inputs import (
    CycleInputs,
    ExitRequest,
    LastLoss,
    LastTrim,
    RegimeInputs,
    RowInputs,
    Rung,
    TradeHistory,
)
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from strandline.venues.solana.key import SOLANA_ONCHAIN
from tests.pm.sample_inputs import (
    BAR,
    LEVELS,
    NEW_LEVEL,
    OLD_LEVEL,
    T,
    changed,
    held,
    mark,
    open_intent,
    planner_state,
    row,
    signal,
)
from tests.pm.sample_regime import driver, phase

Change: TypeAlias = Mapping[str, Any]
Complication: TypeAlias = Callable[[RowInputs], Change]

PLACES: Final = [
    (venue, token, timeframe)
    for venue in (HYPERLIQUID_PERPS, SOLANA_ONCHAIN)
    for token in ("BTC", "ETH")
    for timeframe in (Timeframe.M15, Timeframe.H1)
]
RAISED_FLAGS: Final[list[tuple[Flag, EngineState]]] = [
    (Flag.BUY_SIGNAL, EngineState.S1),
    (Flag.BUY_FLAG, EngineState.S2),
    (Flag.BUY_FLAG, EngineState.S3),
    (Flag.FIRST_DIP_BUY_FLAG, EngineState.S3),
    (Flag.TRIM_FLAG, EngineState.S2),
    (Flag.TRIM_FLAG, EngineState.S3),
    (Flag.RECLAIMED_EMA333, EngineState.S3),
]
OPEN: Final = [IntentStatus.PLANNED, IntentStatus.PLANNED, IntentStatus.PREPARING, IntentStatus.UNKNOWN]
INSTANTS: Final = [T - timedelta(days=20), T - timedelta(hours=5), BAR]
prices = st.integers(85, 120).map(mark)
findings = st.sampled_from([("staleness",), ("staleness", "outage")])
holdings = st.builds(
    held,
    st.sampled_from(["0.4", 3, 10, 40]),
    st.sampled_from([90, 100, 110]),
    extracted=st.integers(0, 3000).map(Money),
    first_fill_at=st.sampled_from([*5 * [T - timedelta(hours=1)], T - timedelta(days=14)]),
)
planner_states = st.builds(
    planner_state,
    trade_no=st.sampled_from([2, 3]),
    settled_request=st.integers(0, 3),
    highest=st.sampled_from([None, Price(108), Price(126)]),
    trail_armed=st.booleans(),
) | st.builds(
    planner_state,
    trade_no=st.sampled_from([1, 3, 4]),
    exit_due=st.sampled_from([reason for reason in ExitReason if reason is not ExitReason.MANUAL]),
    exit_due_bar=st.sampled_from(INSTANTS),
)
histories = st.builds(
    TradeHistory,
    attempts_bought=st.sampled_from([(), (INSTANTS[1],)]),
    s2_visits_bought=st.sampled_from([(), (INSTANTS[1],)]),
    trends_dipped=st.sampled_from([(), (INSTANTS[1],)]),
    ladder=st.lists(
        st.builds(Rung, trend_id=st.just(INSTANTS[1]), price=st.sampled_from([Price(95), Price(110)])), max_size=3
    ).map(tuple),
    trends_fled=st.sampled_from([(), (INSTANTS[1],)]),
    trends_reclaimed=st.sampled_from([(), (), (INSTANTS[1],)]),
    last_loss=st.sampled_from(
        [None, None, LastLoss(trade_no=3, trend_id=None), LastLoss(trade_no=3, trend_id=INSTANTS[1])]
    ),
    last_trim=st.none()
    | st.builds(LastTrim, bar_count=st.integers(996, 998), level_id=st.sampled_from([OLD_LEVEL, NEW_LEVEL])),
    last_buy_bar=st.sampled_from([None, 900, 995]),
    ended_exits=st.lists(st.sampled_from([Rule.STOP, Rule.TREND_END, Rule.TRIM]), max_size=4).map(tuple),
    failed_attempts=st.integers(0, 4),
)


def earlier_exit(reason: ExitReason | None) -> Complication:
    """A bar before the newest made an exit due."""

    def change(one: RowInputs) -> Change:
        newest = one.newest
        if newest is None:
            return {}
        before = changed(
            newest,
            bar_ts=newest.bar_ts - newest.timeframe.length,
            flags=(Flag.EXIT_POSITION,) if reason else (Flag.EMERGENCY_EXIT,),
            exit_reason=reason and reason.value,
        )
        return {"signals": (before, newest)}

    return change


def with_open_intents(statuses: Mapping[Side, IntentStatus]) -> Complication:
    """Open intents, at most one on each side."""

    def change(one: RowInputs) -> Change:
        number = one.position.position_id.int % 2**32
        return {
            "open_intents": tuple(
                open_intent(side, status, "700", number + len(side)) for side, status in statuses.items()
            )
        }

    return change


def revised(one: RowInputs) -> Change:
    """The newest bar was corrected."""
    newest = changed(one.newest, bar_revision=1) if one.newest else None
    return {"newest": newest, "signals": (newest,) if newest else ()}


def in_s0(one: RowInputs) -> Change:
    """The newest state is a downtrend, although no flag says that it just became one."""
    newest = changed(one.newest, state=EngineState.S0) if one.newest else None
    return {"newest": newest, "signals": (newest,) if newest else ()}


def paused(one: RowInputs) -> Change:
    """A person does not want it traded."""
    return {"position": changed(one.position, desired_status=DesiredStatus.PAUSED)}


def not_ready(one: RowInputs) -> Change:
    """Its history is too short."""
    return {"position": changed(one.position, ready=False)}


def with_values(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[Complication]:
    """These fields are replaced."""
    return st.fixed_dictionaries(values).map(lambda change: lambda _: change)


# Strategies are made once: hypothesis examines each new one, which takes longer than drawing from it.
open_statuses = st.sampled_from(OPEN)
complications: st.SearchStrategy[Complication] = st.one_of(
    with_values(price=st.none() | prices),
    with_values(mark=st.none() | st.just(mark(99, timedelta(minutes=16), "mark"))),
    with_values(planner_state=st.none() | planner_states),
    with_values(history=histories),
    with_values(block_entries=findings),
    with_values(block_all=findings),
    with_values(highest_close=st.integers(100, 130).map(Price)),
    st.just(paused),
    st.just(not_ready),
    with_values(exit_request=st.builds(ExitRequest, number=st.integers(1, 3), request_id=st.just(UUID(int=7)))),
    with_values(signals=st.just(())),
    with_values(newest=st.none(), signals=st.just(())),
    st.just(revised),
    st.just(in_s0),
    st.sampled_from([None, ExitReason.TREND_FAILED, ExitReason.TREND_OVER]).map(earlier_exit),
    st.fixed_dictionaries({Side.BUY: open_statuses}).map(with_open_intents),
    st.fixed_dictionaries({Side.SELL: open_statuses}).map(with_open_intents),
    st.fixed_dictionaries({Side.BUY: open_statuses, Side.SELL: open_statuses}).map(with_open_intents),
)
"""Changes of a row that a rule or a block depends on."""

raised_flags = st.sampled_from(RAISED_FLAGS)
levels = st.sampled_from([LEVELS, LEVELS, ()])
some_holdings = st.just(Holding(trade_no=2)) | holdings
weights = st.sampled_from(["1", "0.4", "0"])
lots = st.sampled_from(["0.001", "0.5"])
min_notionals = st.sampled_from(["0", "10"])
some_complications = st.lists(complications, max_size=3)


@st.composite
def rows(draw: st.DrawFn, place: Any) -> RowInputs:
    """A row with a flag raised and up to three complications, the later over the earlier."""
    venue, token, timeframe = place
    flag, state = draw(raised_flags)
    newest = signal(
        flag,
        timeframe=timeframe,
        bar_ts=timeframe.last_final(T),
        state=state,
        trend_id=INSTANTS[1],
        levels=draw(levels),
    )
    one = row(
        venue=venue,
        token=token,
        timeframe=timeframe,
        signals=(newest,),
        holding=draw(some_holdings),
        history=TradeHistory(trends_fled=(INSTANTS[1],)),
        weight=draw(weights),
        lot=draw(lots),
        min_notional=draw(min_notionals),
    )
    for complication in draw(some_complications):
        one = changed(one, **complication(one))
    before = one.planner_state
    return changed(one, planner_state=before and changed(before, bar_ts=_read_up_to(one, timeframe)))


def _read_up_to(one: RowInputs, timeframe: Timeframe) -> datetime:
    """The bar before the first unread one."""
    if one.signals:
        return one.signals[0].bar_ts - timeframe.length
    return timeframe.last_final(T)


some_places = st.lists(st.sampled_from(PLACES), min_size=1, max_size=4, unique=True)
equities = st.sampled_from([100_000, 20_000, 8_000, 3_000, 3_000, 3_000, 3_000]).map(Money)
parts_lost = st.sampled_from([*12 * [0], 1, 4, 6, 25])
"""By how many percent of themselves the day's start and the peak are above equity."""
losing_streaks = st.sampled_from([*6 * [0], 1, 2, 3, 4, 5])
breakers_before = st.sampled_from([*12 * [()], *((breaker,) for breaker in Breaker), tuple(Breaker)])
halts = st.sampled_from([*12 * [None], Halt.ENTRIES, Halt.ALL])
free_cash = st.sampled_from([50_000, 1_500, 100, -3]).map(Money)


phases = st.builds(phase, st.sampled_from(Phase), bars_late=st.integers(0, 4))
flags_raised = st.lists(st.tuples(st.integers(0, 8), st.sampled_from(Flag)), max_size=3)
drivers = st.builds(lambda raised, late: driver(*raised, bars_late=late), flags_raised, st.sampled_from([0, 0, 3]))
regimes = st.builds(
    RegimeInputs,
    meso=st.none() | phases,
    macro=st.none() | st.builds(phase, st.sampled_from(Phase), st.just(MACRO)),
    btc=st.none() | drivers,
    index=st.none() | drivers,
)


def higher(equity: Money, percent: int) -> Money:
    """The amount of which equity is what is left after losing this part."""
    return Money((equity.decimal * 100 / (100 - percent)).quantize(Decimal("0.01")))


@st.composite
def cycles(draw: st.DrawFn) -> CycleInputs:
    """Some rows, and a portfolio that may be short of anything, with breakers that may be tripped, and halts."""
    equity = draw(equities)
    return CycleInputs(
        cycle=T,
        rows=tuple(draw(rows(place)) for place in draw(some_places)),
        equity=equity,
        day_start=higher(equity, draw(parts_lost)),
        peak=higher(equity, draw(parts_lost)),
        losing_streak=draw(losing_streaks),
        tripped_before=draw(breakers_before),
        halt=draw(halts),
        free_cash={str(venue): draw(free_cash) for venue in (HYPERLIQUID_PERPS, SOLANA_ONCHAIN)},
        regime=draw(regimes),
    )
