"""The market's part in A and E, the same for all rows: the phases of its index, and the drivers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from strandline.model.regime import MACRO, MESO, Phase
from strandline.model.signal import Flag
from strandline.model.strategy import Phases, Strategy
from strandline.model.timeframe import Timeframe
from strandline.pm.inputs import DriverInputs, PhaseInputs, RegimeInputs
from strandline.pm.rounding import score

_KINDS: Final[Mapping[str, frozenset[Flag]]] = {
    "buy": frozenset({Flag.BUY_SIGNAL, Flag.BUY_FLAG, Flag.FIRST_DIP_BUY_FLAG}),
    "trim": frozenset({Flag.TRIM_FLAG}),
    "emergency": frozenset({Flag.EMERGENCY_EXIT}),
}
"""The flags of each kind of driver, named as in the strategy."""

T = TypeVar("T", PhaseInputs, DriverInputs)


@dataclass(frozen=True)
class MarketScores:
    """The terms of the market, and what they were read from. `neutral` names those that are missing."""

    terms: Mapping[str, float]
    inputs: Mapping[str, str]
    neutral: tuple[str, ...]


def market_scores(regime: RegimeInputs, cycle: datetime, strategy: Strategy) -> MarketScores:
    """Compute the terms. What is missing or late is neutral; entries stay allowed."""
    phases = {
        "meso": _in_time(regime.meso, MESO, cycle, strategy),
        "macro": _in_time(regime.macro, MACRO, cycle, strategy),
    }
    drivers = {
        "btc": _in_time(regime.btc, MESO, cycle, strategy),
        "index": _in_time(regime.index, MESO, cycle, strategy),
    }
    meso_a, meso_e = _of_phase(strategy.regime.meso, phases["meso"])
    macro_a, macro_e = _of_phase(strategy.regime.macro, phases["macro"])
    missing = [name for name, phase in phases.items() if phase is None]
    missing += [name for name, driver in drivers.items() if driver is None or not _raises_flags(driver, strategy)]
    return MarketScores(
        terms={
            "meso_a": meso_a,
            "meso_e": meso_e,
            "macro_a": macro_a,
            "macro_e": macro_e,
            **_driver_terms(drivers, cycle, strategy),
        },
        inputs=dict(_read(phases, drivers)),
        neutral=tuple(missing),
    )


def _in_time(found: T | None, timeframe: Timeframe, cycle: datetime, strategy: Strategy) -> T | None:
    """What was read, unless so many bars are lacking after it that a new phase could have come and held."""
    if found is None:
        return None
    lacking = (timeframe.last_final(cycle) - found.bar_ts) / timeframe.length
    return found if lacking <= strategy.regime.confirm_bars else None


def _of_phase(phases: Phases, found: PhaseInputs | None) -> tuple[float, float]:
    pair: tuple[float, float] = getattr(phases, found.phase if found else Phase.NEUTRAL)
    return pair


def _raises_flags(driver: DriverInputs, strategy: Strategy) -> bool:
    return driver.bar_count >= strategy.history.bars_for_flags


def _driver_terms(
    drivers: Mapping[str, DriverInputs | None], cycle: datetime, strategy: Strategy
) -> Mapping[str, float]:
    """How strong each driver still is, and what all of them add to A and to E."""
    rules = strategy.drivers
    weights = {"btc": rules.btc_weight, "index": rules.index_weight}
    terms, added_a, added_e = dict[str, float](), 0.0, 0.0
    for name, driver in drivers.items():
        for kind, flags in _KINDS.items():
            strength = _strength(driver, flags, cycle, rules.fade_bars) if driver else 0.0
            delta_a, delta_e = getattr(rules, kind)
            added_a += weights[name] * delta_a * strength
            added_e += weights[name] * delta_e * strength
            terms[f"{name}_{kind}"] = strength
    return {**terms, "drivers_a": score(added_a), "drivers_e": score(added_e)}


def _strength(driver: DriverInputs, flags: frozenset[Flag], cycle: datetime, fade_bars: int) -> float:
    """1 on the newest bar that raised one of the flags; falls evenly with every bar, to 0 after `fade_bars`."""
    raised = [bar.bar_ts for bar in driver.raised if flags.intersection(bar.flags)]
    if not raised:
        return 0.0
    bars_ago = (MESO.last_final(cycle) - max(raised)) / MESO.length
    return score(max(0.0, 1 - bars_ago / fade_bars))


def _read(
    phases: Mapping[str, PhaseInputs | None], drivers: Mapping[str, DriverInputs | None]
) -> Iterator[tuple[str, str]]:
    """What was read, in words: the bars with their revisions, the phases, and the flags that still count."""
    for name, phase in phases.items():
        if phase is not None:
            yield f"{name}_bar", _bar(phase)
            yield f"{name}_phase", phase.phase
            yield f"{name}_shown", f"{phase.shown}, bars: {phase.shown_bars}"
    for name, driver in drivers.items():
        if driver is not None:
            yield f"{name}_bar", _bar(driver)
            yield f"{name}_flags", "; ".join(f"{bar.bar_ts.isoformat()} {' '.join(bar.flags)}" for bar in driver.raised)


def _bar(found: PhaseInputs | DriverInputs) -> str:
    return f"{found.bar_ts.isoformat()} revision {found.bar_revision}"
