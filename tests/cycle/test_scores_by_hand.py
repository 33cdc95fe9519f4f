"""A person computes A and E again from a strand alone, as it is stored."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from strandline.model.signal import Flag
from tests.cycle.planning_database import EARLIER, POSITION, PlanningDatabase, T

HOUR = timedelta(hours=1)


def computed(terms: Mapping[str, float]) -> tuple[float, float]:
    """A and E of these terms, with no help of the library."""
    a = (terms["meso_a"] * terms["macro_a"] + terms["drivers_a"]) * terms["cut_a"] + terms["position_a"]
    e = (terms["meso_e"] * terms["macro_e"] + terms["drivers_e"]) * terms["cut_e"] + terms["position_e"]
    return round(min(1.0, max(0.0, a)), 9), round(min(1.0, max(0.0, e)), 9)


def add_market(planning: PlanningDatabase) -> None:
    """By the hour a dip, by the day a recovery; an emergency of the index two hours ago, a buy flag of BTC just now."""
    for series, timeframe in (("index", "1h"), ("index", "1d"), ("BTC", "1h")):
        planning.add("regime_states", series=series, timeframe=timeframe, generation=1)
    for series, timeframe, ago, phase, flags in (
        ("index", "1h", 3, "dip", [Flag.EMERGENCY_EXIT]),
        ("index", "1h", 1, "dip", []),
        ("index", "1d", 36, "recover", []),
        ("BTC", "1h", 1, "good", [Flag.BUY_SIGNAL]),
    ):
        planning.add(
            "regime_bars", series=series, timeframe=timeframe, ts=T - ago * HOUR, bar_count=700, phase=phase,
            shown_phase=phase, shown_bars=2, uptrend_engine_v4=json.dumps({"state": "S1", "flags": flags}),
        )  # fmt: skip


def strand(planning: PlanningDatabase) -> dict[str, Any]:
    """The only strand, as its bytes are stored."""
    ((body,),) = planning.rows("SELECT body FROM strands")
    found: dict[str, Any] = json.loads(body)
    return found


def test_a_and_e_of_a_row_that_holds_in_a_market_that_is_known(planning: PlanningDatabase) -> None:
    add_market(planning)
    planning.add_holding(trade_no=3, first_fill_at=T - timedelta(days=7), invested=1250, extracted=250, realised_pnl=0)
    planning.add("equity", cycle_t=EARLIER, equity=100_000, peak=110_000)
    for number in (1, 2):
        planning.add("trades", position_id=POSITION, trade_no=number, closed_at=EARLIER, net_pnl=-5)
    planning.add_signal()
    planning.plan()
    found = strand(planning)
    terms = found["terms"]
    assert (found["appetite"], found["exit_urgency"]) == computed(terms)
    assert found["inputs"]["neutral_terms"] == ""
    # And each term from the rules and what the strand says about the market.
    assert (terms["meso_a"], terms["meso_e"], terms["macro_a"], terms["macro_e"]) == (0.2, 0.8, 1.3, 1.0)
    drivers = 0.3 * 0.15 * 1 - 0.5 * 0.40 * (4 / 6)
    assert terms["drivers_a"] == pytest.approx(drivers, abs=1e-9)
    assert terms["drivers_e"] == pytest.approx(-drivers, abs=1e-9)
    assert terms["streak"] == 0.4
    pressure = 0.5 * terms["drawdown"] + 0.3 * 0 + 0.2 * 0.4
    assert 0 < terms["drawdown"] < 1
    assert terms["cut_a"] == pytest.approx(1 - 0.33 * pressure, abs=1e-9)
    assert terms["cut_e"] == pytest.approx(1 + 0.33 * pressure, abs=1e-9)
    assert terms["position_a"] == pytest.approx(-0.05 * 2, abs=1e-9)
    assert terms["position_e"] == pytest.approx(0.10 * 250 / 1250 + 0.05 * 7 / 14, abs=1e-9)


def test_what_is_missing_is_named_and_the_row_buys_all_the_same(planning: PlanningDatabase) -> None:
    planning.add_signal(Flag.BUY_SIGNAL)
    assert [words.split(":")[1].split()[0] for words in planning.plan()["intents"]] == ["add"]
    ((body,),) = planning.rows("SELECT evidence FROM intents")
    evidence = body if isinstance(body, dict) else json.loads(body)
    assert evidence["inputs"]["neutral_terms"] == "meso macro btc index"
    assert (evidence["appetite"], evidence["exit_urgency"]) == computed(evidence["terms"]) == (0.5, 0.5)
