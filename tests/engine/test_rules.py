"""States, levels, scores and flags follow the rules on every bar, and each rule is met on some series."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from strandline.engine import Bars, Engine, Outputs, Series
from strandline.engine.states import S3, S4
from strandline.model.signal import EngineState, Flag, Signal
from strandline.model.timeframe import Timeframe
from tests.engine import reference, things
from tests.engine.reference import DesiredStatus

ENTRIES: Final = {"buy_signal", "buy_flag", "first_dip_buy_flag"}
EXITS: Final = (None, "trend_failed", "trend_over")


class Story(NamedTuple):
    """A series and what the engine says of it."""

    bars: Bars
    outputs: Outputs

    @property
    def rows(self) -> list[dict[str, float]]:
        """The indicators, bar by bar."""
        return named(self.outputs.indicators)

    @property
    def marks(self) -> list[dict[str, float]]:
        """The scores, bar by bar."""
        return named(self.outputs.scores)

    @property
    def states(self) -> list[EngineState | None]:
        """The states, bar by bar."""
        return [None if state < 0 else things.STATES[state] for state in self.outputs.heads["state"]]

    @property
    def flags(self) -> list[set[str]]:
        """The flags, bar by bar."""
        masks = self.outputs.heads["flags"].tolist()
        return [{flag.value for place, flag in enumerate(Flag) if mask >> place & 1} for mask in masks]


def named(records: np.ndarray[tuple[int], np.dtype[np.void]]) -> list[dict[str, float]]:
    names = records.dtype.names or ()
    return [dict(zip(names, values, strict=True)) for values in records.tolist()]


def tell(bars: Bars) -> Story:
    return Story(bars, things.run(bars))


def up_and_down() -> Bars:
    """A rise that began before the engine had a state, a fall, and another beginning."""
    legs = [(900, 0.0006), (700, -0.0006), (150, 0.001)]
    steps = np.concatenate([np.full(bars, drift) for bars, drift in legs])
    noise = np.random.default_rng(8).normal(0, 0.001, len(steps))
    return things.bars_of_closes(100 * np.exp(np.cumsum(steps + noise)))


def flat_and_down() -> Bars:
    """No order at first, then a decline."""
    steps = np.concatenate([np.full(500, 0.0), np.full(400, -0.001)])
    noise = np.random.default_rng(9).normal(0, 0.001, len(steps))
    return things.bars_of_closes(100 * np.exp(np.cumsum(steps + noise)))


PATHS: Final[Mapping[str, Callable[[], Bars]]] = {
    **{
        f"trend {seed} {volatility} {amplitude}": partial(things.trend_bars, seed, volatility, amplitude)
        for seed, volatility, amplitude in [
            (1, 0.7, 1.0),
            (1, 3.0, 0.25),
            (2, 3.0, 0.25),
            (4, 3.0, 0.5),
            (5, 3.0, 0.25),
        ]
    },
    **{f"walk {seed}": partial(things.random_bars, seed, 1600, 0.004) for seed in range(6)},
    "up and down": up_and_down,
    "flat and down": flat_and_down,
}
"""On these everything happens that can happen."""

NAMES: Final = tuple(PATHS)


@cache
def story(name: str) -> Story:
    return tell(PATHS[name]())


@cache
def signals(name: str) -> tuple[Signal, ...]:
    """Every signal of the story."""
    return tuple(things.ENGINE.signals(story(name).outputs, [Series(1, Timeframe.M1, 1)]))


@pytest.mark.parametrize("name", NAMES)
def test_states(name: str) -> None:
    told = story(name)
    wanted = reference.standings(told.rows)
    found = list(standings(told))
    assert found == wanted


@settings(max_examples=25)
@given(seed=things.seeds, volatility=st.floats(0.0005, 0.02))
def test_states_and_flags_of_any_series(seed: int, volatility: float) -> None:
    told = tell(things.random_bars(seed, 1000, volatility))
    wanted = reference.standings(told.rows)
    assert list(standings(told)) == wanted
    assert told.flags == reference.flags(told.rows, told.marks, wanted, level_prices(told))


@pytest.mark.parametrize("name", NAMES)
def test_flags(name: str) -> None:
    told = story(name)
    assert told.flags == reference.flags(told.rows, told.marks, reference.standings(told.rows), level_prices(told))


@pytest.mark.parametrize("name", NAMES)
def test_scores(name: str) -> None:
    told = story(name)
    rows, known = told.rows, told.outputs.heads["volume_known"]
    for bar in range(things.FIRST_STATE, len(rows), 7):
        wanted = reference.scores(
            rows[bar],
            volume_known=bool(known[bar]),
            in_trend=told.states[bar] is EngineState.S3,
            rising=rows[bar]["slope144"] > rows[bar - 10]["slope144"],
        )
        levels = told.outputs.levels[bar][: told.outputs.heads["levels"][bar]].tolist()
        atr = rows[bar]["atr"]
        prices = [(ts, price, touches, strength) for ts, price, touches, strength, _ in levels]
        wanted |= {f"boost_ema{span}": reference.boost(prices, rows[bar][f"ema{span}"], atr) for span in (60, 333)}
        assert told.marks[bar] == pytest.approx(wanted, abs=2e-9)


@pytest.mark.parametrize("name", NAMES)
def test_levels(name: str) -> None:
    told = story(name)
    closes, ts = told.bars.close.tolist(), told.bars.ts.tolist()
    for bar in range(things.FIRST_STATE, len(closes), 101):
        wanted = reference.levels(closes, bar, told.rows[bar]["atr"])
        found = told.outputs.levels[bar][: told.outputs.heads["levels"][bar]].tolist()
        assert [(ts.index(first), touches) for first, _, touches, _, _ in found] == [
            (first, touches) for first, _, touches, _ in wanted
        ]
        assert [value for _, price, _, strength, _ in found for value in (price, strength)] == pytest.approx(
            [value for _, price, _, strength in wanted for value in (price, strength)], rel=1e-12
        )


def test_the_newest_pivots_make_room() -> None:
    told = story("walk 0")
    assert len(list(reference.pivots(told.bars.close.tolist()))) > 2 * things.STRATEGY.levels.newest
    assert told.outputs.heads["levels"].max() > 10


@pytest.mark.parametrize("step", ["S4 S0", "S4 S3", "S0 S1", "S1 S0", "S1 S2", "S2 S1", "S2 S3", "S3 S0"])
def test_every_transition_happens(step: str) -> None:
    happened = {f"{a} {b}" for told in map(story, NAMES) for a, b in pairwise(told.states) if a is not None}
    assert step in happened


@pytest.mark.parametrize(
    "flag",
    [
        "S1 buy_signal",
        "S2 buy_flag",
        "S3 buy_flag",
        "S3 first_dip_buy_flag",
        "S2 trim_flag",
        "S3 trim_flag",
        "S3 emergency_exit",
        "S3 reclaimed_ema333",
        "S0 exit_position",
    ],
)
def test_every_flag_is_raised(flag: str) -> None:
    happened = {
        f"{state} {flag}"
        for told in map(story, NAMES)
        for state, flags in zip(told.states, told.flags, strict=True)
        for flag in flags
    }
    assert flag in happened


@pytest.mark.parametrize("reason", ["trend_failed", "trend_over"])
def test_every_exit_has_its_reason(reason: str) -> None:
    assert any(signal.exit_reason == reason for name in NAMES for signal in signals(name))


@pytest.mark.parametrize("name", NAMES)
def test_signals_agree_with_themselves(name: str) -> None:
    told, made = story(name), signals(name)
    assert [signal.bar_count for signal in made] == list(range(things.FIRST_STATE, len(told.bars.ts) + 1))
    assert not any(signal.flags for signal in made if signal.bar_count < things.READY)
    for before, signal in pairwise(made):
        assert (signal.state_since == signal.bar_ts) == (signal.state is not before.state)
        assert (signal.trend_id is not None) == (signal.state is EngineState.S3)
        assert signal.attempt_id is None or signal.state not in (EngineState.S0, EngineState.S4)
        assert (Flag.EXIT_POSITION in signal.flags) <= (signal.state is EngineState.S0)
        assert all(low.price < high.price for low, high in pairwise(signal.levels))
    assert len({signal.input_hash for signal in made}) == len(made)


def test_the_first_dip_comes_once_in_a_trend() -> None:
    dips = [
        (name, signal.trend_id) for name in NAMES for signal in signals(name) if Flag.FIRST_DIP_BUY_FLAG in signal.flags
    ]
    assert len(set(dips)) == len(dips) > 0


def test_a_trend_seen_late_has_no_entry_on_its_first_bar() -> None:
    """With flags from the first state on, so that there are many such trends; some would have been entered there."""
    eager = Engine(replace(things.STRATEGY, history=replace(things.STRATEGY.history, bars_for_flags=333)))
    tempting = 0
    for seed in range(400):
        bars = things.random_bars(seed, 450, 0.002)
        told = Story(bars, eager.run(eager.fresh(), bars)[1])
        states = told.outputs.heads["state"]
        for bar in np.flatnonzero((states[:-1] == S4) & (states[1:] == S3)) + 1:
            assert not told.flags[bar] & ENTRIES
            tempting += bool(reference.trend_flags(told.rows[bar], told.marks[bar], 0, first=False) & ENTRIES)
    assert tempting > 2


def standings(told: Story) -> Iterator[DesiredStatus | None]:
    """As the reference tells it, but that an exit before there are flags keeps its reason to itself."""
    bars = {ts: bar for bar, ts in enumerate(told.bars.ts.tolist())}
    wanted = reference.standings(told.rows)
    for bar, head in enumerate(told.outputs.heads):
        stands = wanted[bar]
        if head["state"] < 0:
            yield None
            continue
        reason = EXITS[head["exit"]]
        if stands is not None and bar < things.READY - 1:
            assert reason is None
            reason = stands.reason
        yield DesiredStatus(
            things.STATES[head["state"]].value,
            bars[head["state_since"]],
            bars.get(head["attempt"]),
            bars.get(head["trend"]),
            reason,
        )


def level_prices(told: Story) -> list[list[float]]:
    heads, levels = told.outputs.heads, told.outputs.levels
    return [levels[bar]["price"][: heads[bar]["levels"]].tolist() for bar in range(len(heads))]
