"""A and E: the appetite to add and the urgency to exit, each in [0, 1], with every term that they are made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from strandline.model.position import Holding
from strandline.model.strategy import Strategy
from strandline.pm.inputs import CycleInputs, RowInputs
from strandline.pm.market import MarketScores
from strandline.pm.rounding import score


@dataclass(frozen=True)
class CutPressure:
    """How badly the portfolio is doing, each term in [0, 1]. A drawdown of None is unknown and counts as none."""

    drawdown: float | None
    crowding: float
    streak: float


@dataclass(frozen=True)
class AppetiteScores:
    """A (`appetite`) and E (`exit_urgency`), with the terms that they are made of and what the market's were read from.

    `neutral` names the unknown terms, which took their neutral value.
    """

    appetite: float
    exit_urgency: float
    terms: Mapping[str, float]
    market: Mapping[str, str]
    neutral: tuple[str, ...]


def cut_pressure(inputs: CycleInputs, strategy: Strategy) -> CutPressure:
    """The portfolio's part in A and E, the same for all rows."""
    cut = strategy.cut_pressure
    positions = sum(bool(row.position.holding.quantity) for row in inputs.rows)
    drawdown = _drawdown(inputs)
    return CutPressure(
        drawdown=None if drawdown is None else score(min(1.0, drawdown / (cut.drawdown_pct / 100))),
        crowding=score(_unit((positions - cut.crowding_from) / cut.crowding_span)),
        streak=score(min(1.0, inputs.losing_streak / cut.streak_full)),
    )


def appetite_scores(
    row: RowInputs, cycle: datetime, market: MarketScores, pressure: CutPressure, strategy: Strategy
) -> AppetiteScores:
    """(Meso × macro + drivers) × cut pressure + position, clamped.

    Every term is rounded before it is used, so that both scores can be computed again from the terms alone.
    """
    terms = {**market.terms, **_pressure_terms(pressure, strategy), **_position_terms(row, cycle, strategy)}
    appetite = (terms["meso_a"] * terms["macro_a"] + terms["drivers_a"]) * terms["cut_a"] + terms["position_a"]
    exit_urgency = (terms["meso_e"] * terms["macro_e"] + terms["drivers_e"]) * terms["cut_e"] + terms["position_e"]
    return AppetiteScores(
        appetite=score(_unit(appetite)),
        exit_urgency=score(_unit(exit_urgency)),
        terms=terms,
        market=market.inputs,
        neutral=market.neutral + (("drawdown",) if pressure.drawdown is None else ()),
    )


def extracted_share(holding: Holding) -> float:
    """The share of its investment that the open trade has paid back; 0 while flat."""
    if not holding.quantity or not holding.invested:
        return 0.0
    return float(holding.extracted) / float(holding.invested)


def _pressure_terms(pressure: CutPressure, strategy: Strategy) -> Mapping[str, float]:
    """`cut_a` and `cut_e` are factors."""
    cut = strategy.cut_pressure
    squeeze = score(
        cut.drawdown_weight * (pressure.drawdown or 0.0)
        + cut.crowding_weight * pressure.crowding
        + cut.streak_weight * pressure.streak
    )
    return {
        "drawdown": pressure.drawdown or 0.0,
        "crowding": pressure.crowding,
        "streak": pressure.streak,
        "cut_pressure": squeeze,
        "cut_a": score(1 - cut.damps_a * squeeze),
        "cut_e": score(1 + cut.raises_e * squeeze),
    }


def _position_terms(row: RowInputs, cycle: datetime, strategy: Strategy) -> Mapping[str, float]:
    """`position_a` and `position_e` are added."""
    own = strategy.appetite
    failed = min(row.history.failed_attempts, own.failed_attempts_max)
    extracted = score(min(1.0, extracted_share(row.position.holding)))
    age = score(_age(row.position.holding, cycle) / timedelta(days=own.age_days))
    return {
        "failed_attempts": float(failed),
        "extracted": extracted,
        "age": age,
        "position_a": score(own.per_failed_attempt * failed),
        "position_e": score(own.e_for_extracted * extracted + own.e_for_age * age),
    }


def _drawdown(inputs: CycleInputs) -> float | None:
    if inputs.equity is None or inputs.peak is None or not inputs.peak:
        return None
    return max(0.0, 1 - float(inputs.equity) / float(inputs.peak))


def _age(holding: Holding, cycle: datetime) -> timedelta:
    if not holding.quantity or holding.first_fill_at is None:
        return timedelta(0)
    return max(timedelta(0), cycle - holding.first_fill_at)


def _unit(value: float) -> float:
    return min(1.0, max(0.0, value))
