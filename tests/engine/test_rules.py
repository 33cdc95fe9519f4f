"""States, levels, scores and flags equal those of the reference on every bar, and each rule applies on some series."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, partial
from itertools import pairwise
from typing import Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from strandline.engine import Bars, Engine, Outputs, Series
from strandline.engine.states import S3, S4
from strandline.model.signal import EngineState, Flag, Signal
from strandline.model.timeframe import Timeframe
from tests.engine import reference, samples
from tests.engine.reference import State

ENTRIES: Final = {"buy_signal", "buy_flag", "first_dip_buy_flag"}
EXITS: Final = (None, "trend_failed", "trend_over")


@dataclass(frozen=True)
class Run:
    """A series, the outputs of the engine, and what they are compared with."""

    bars: Bars
    outputs: Outputs

    @cached_property
    def rows(self) -> list[dict[str, float]]:
        """The indicators, bar by bar."""
        return named(self.outputs.indicators)

    @cached_property
    def scores(self) -> list[dict[str, float]]:
        """The scores, bar by bar."""
        return named(self.outputs.scores)

    @cached_property
    def states(self) -> list[EngineState | None]:
        """The states, bar by bar."""
        return [None if state < 0 else samples.STATES[state] for state in self.outputs.bar_states["state"]]

    @cached_property
    def expected(self) -> list[State | None]:
        """The states of the reference, bar by bar."""
        return reference.states_after(self.rows)

    @cached_property
    def flags(self) -> list[set[str]]:
        """The flags, bar by bar."""
        masks = self.outputs.bar_states["flags"].tolist()
        return [{flag.value for place, flag in enumerate(Flag) if mask >> place & 1} for mask in masks]


def named(records: np.ndarray[tuple[int], np.dtype[np.void]]) -> list[dict[str, float]]:
    names = records.dtype.names or ()
    return [dict(zip(names, values, strict=True)) for values in records.tolist()]


def run_engine(bars: Bars) -> Run:
    return Run(bars, samples.run(bars))


def up_and_down() -> Bars:
    """A rise that began before the engine had a state, a fall, and another rise."""
    legs = [(900, 0.0006), (700, -0.0006), (150, 0.001)]
    steps = np.concatenate([np.full(bars, drift) for bars, drift in legs])
    noise = np.random.default_rng(8).normal(0, 0.001, len(steps))
    return samples.bars_of_closes(100 * np.exp(np.cumsum(steps + noise)))


def flat_and_down() -> Bars:
    """No order of averages at first, then a decline."""
    steps = np.concatenate([np.full(500, 0.0), np.full(400, -0.001)])
    noise = np.random.default_rng(9).normal(0, 0.001, len(steps))
    return samples.bars_of_closes(100 * np.exp(np.cumsum(steps + noise)))


PATHS: Final[Mapping[str, Callable[[], Bars]]] = {
    **{
        f"trend {seed} {volatility} {amplitude}": partial(samples.trend_bars, seed, volatility, amplitude)
        for seed, volatility, amplitude in [
            (1, 0.7, 1.0),
            (1, 3.0, 0.25),
            (2, 3.0, 0.25),
            (4, 3.0, 0.5),
            (5, 3.0, 0.25),
        ]
    },
    **{f"walk {seed}": partial(samples.random_bars, seed, 1600, 0.004) for seed in range(6)},
    "wild walk": partial(samples.random_bars, 3, 1600, 0.008),
    "up and down": up_and_down,
    "flat and down": flat_and_down,
}
"""Series on which every transition and flag occurs."""

NAMES: Final = tuple(PATHS)


@cache
def run_of(name: str) -> Run:
    return run_engine(PATHS[name]())


@cache
def signals(name: str) -> tuple[Signal, ...]:
    """Every signal of the series."""
    return tuple(samples.ENGINE.signals(run_of(name).outputs, [Series(1, Timeframe.M1, 1)]))


@pytest.mark.parametrize("name", NAMES)
def test_states(name: str) -> None:
    run = run_of(name)
    assert list(states_of(run)) == run.expected


@settings(max_examples=25)
@given(seed=samples.seeds, volatility=st.floats(0.0005, 0.02))
def test_states_and_flags_of_any_series(seed: int, volatility: float) -> None:
    run = run_engine(samples.random_bars(seed, 1000, volatility))
    assert list(states_of(run)) == run.expected
    assert run.flags == reference.flags(run.rows, run.scores, run.expected, level_prices(run))


@pytest.mark.parametrize("name", NAMES)
def test_flags(name: str) -> None:
    run = run_of(name)
    assert run.flags == reference.flags(run.rows, run.scores, run.expected, level_prices(run))


@pytest.mark.parametrize("name", NAMES)
def test_scores(name: str) -> None:
    run = run_of(name)
    rows, known = run.rows, run.outputs.bar_states["volume_known"]
    for bar in range(samples.FIRST_STATE, len(rows), 7):
        wanted = reference.scores(
            rows[bar],
            volume_known=bool(known[bar]),
            in_trend=run.states[bar] is EngineState.S3,
            rising=rows[bar]["slope144"] > rows[bar - 10]["slope144"],
        )
        levels = run.outputs.levels[bar][: run.outputs.bar_states["levels"][bar]].tolist()
        atr = rows[bar]["atr"]
        prices = [(ts, price, touches, strength) for ts, price, touches, strength, _ in levels]
        wanted |= {f"boost_ema{span}": reference.boost(prices, rows[bar][f"ema{span}"], atr) for span in (60, 333)}
        assert run.scores[bar] == pytest.approx(wanted, abs=2e-9)


@pytest.mark.parametrize("name", NAMES)
def test_levels(name: str) -> None:
    run = run_of(name)
    closes, ts = run.bars.close.tolist(), run.bars.ts.tolist()
    for bar in range(samples.FIRST_STATE, len(closes), 101):
        wanted = reference.levels(closes, bar, run.rows[bar]["atr"])
        found = run.outputs.levels[bar][: run.outputs.bar_states["levels"][bar]].tolist()
        assert [(ts.index(first), touches) for first, _, touches, _, _ in found] == [
            (first, touches) for first, _, touches, _ in wanted
        ]
        assert [value for _, price, _, strength, _ in found for value in (price, strength)] == pytest.approx(
            [value for _, price, _, strength in wanted for value in (price, strength)], rel=1e-12
        )


def test_only_the_newest_pivots_are_kept() -> None:
    run = run_of("walk 0")
    assert len(list(reference.pivots(run.bars.close.tolist()))) > 2 * samples.STRATEGY.levels.newest
    assert run.outputs.bar_states["levels"].max() > 10


@pytest.mark.parametrize("step", ["S4 S0", "S4 S3", "S0 S1", "S1 S0", "S1 S2", "S2 S1", "S2 S3", "S3 S0"])
def test_every_transition_happens(step: str) -> None:
    happened = {f"{a} {b}" for run in map(run_of, NAMES) for a, b in pairwise(run.states) if a is not None}
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
        for run in map(run_of, NAMES)
        for state, flags in zip(run.states, run.flags, strict=True)
        for flag in flags
    }
    assert flag in happened


@pytest.mark.parametrize("reason", ["trend_failed", "trend_over"])
def test_every_exit_has_its_reason(reason: str) -> None:
    assert any(signal.exit_reason == reason for name in NAMES for signal in signals(name))


@pytest.mark.parametrize("name", NAMES)
def test_signals_are_consistent(name: str) -> None:
    run, made = run_of(name), signals(name)
    assert [signal.bar_count for signal in made] == list(range(samples.FIRST_STATE, len(run.bars.ts) + 1))
    assert not any(signal.flags for signal in made if signal.bar_count < samples.READY)
    ended_by = None
    for before, signal in pairwise(made):
        if signal.state is EngineState.S0 and before.state is not EngineState.S0:
            ended_by = {EngineState.S1: "trend_failed", EngineState.S3: "trend_over"}.get(before.state)
        assert signal.ended_by == (ended_by if signal.state is EngineState.S0 else None)
        assert signal.exit_reason is None or signal.exit_reason == signal.ended_by
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


def test_an_emergency_needs_distance_or_a_third_close() -> None:
    """Each way raises it alone on some bar, and a close that is neither far nor the third raises none."""
    ways = set()
    for run in map(run_of, NAMES):
        for bar in range(samples.READY, len(run.rows)):
            now = run.rows[bar]
            if run.states[bar] is not EngineState.S3 or now["close"] >= now["ema333"]:
                continue
            far = now["close"] < now["ema333"] - 0.5 * now["atr"]
            third = all(run.rows[one]["close"] < run.rows[one]["ema333"] for one in (bar - 2, bar - 1, bar))
            ways.add((far, third))
            assert ("emergency_exit" in run.flags[bar]) == (far or third)
    assert ways == {(True, False), (False, True), (True, True), (False, False)}


def test_a_reclaim_may_follow_bars_that_flag_no_emergency() -> None:
    """After a far close the next may be only a little under EMA 333, and the one after that above it."""
    before = [
        earlier for run in map(run_of, NAMES) for earlier, flags in pairwise(run.flags) if "reclaimed_ema333" in flags
    ]
    assert any("emergency_exit" in flags for flags in before)
    assert any("emergency_exit" not in flags for flags in before)


def test_a_trend_seen_late_has_no_entry_on_its_first_bar() -> None:
    """With flags from the first state on there are many such trends; some bars meet the conditions of an entry."""
    flags_early = Engine(replace(samples.STRATEGY, history=replace(samples.STRATEGY.history, bars_for_flags=333)))
    suppressed = 0
    for seed in range(400):
        bars = samples.random_bars(seed, 450, 0.002)
        run = Run(bars, flags_early.run(flags_early.new_state(), bars)[1])
        states = run.outputs.bar_states["state"]
        for bar in np.flatnonzero((states[:-1] == S4) & (states[1:] == S3)) + 1:
            assert not run.flags[bar] & ENTRIES
            suppressed += bool(reference.trend_flags(run.rows[bar], run.scores[bar], 0, first=False) & ENTRIES)
    assert suppressed > 2


def states_of(run: Run) -> Iterator[State | None]:
    """What the reference computes, from the outputs; before there are flags the engine gives no reason of an exit."""
    bars = {ts: bar for bar, ts in enumerate(run.bars.ts.tolist())}
    wanted = run.expected
    for bar, bar_state in enumerate(run.outputs.bar_states):
        expected = wanted[bar]
        if bar_state["state"] < 0:
            yield None
            continue
        reason = EXITS[bar_state["exit"]]
        if expected is not None and bar < samples.READY - 1:
            assert reason is None
            reason = expected.reason
        yield State(
            samples.STATES[bar_state["state"]].value,
            bars[bar_state["state_since"]],
            bars.get(bar_state["attempt"]),
            bars.get(bar_state["trend"]),
            reason,
        )


def level_prices(run: Run) -> list[list[float]]:
    bar_states, levels = run.outputs.bar_states, run.outputs.levels
    return [levels[bar]["price"][: bar_states[bar]["levels"]].tolist() for bar in range(len(bar_states))]
