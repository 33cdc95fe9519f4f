"""A year of a simulated market through engine and planner: `python -m tests.simulated_year [--days 365] [--seed 1]`."""

import argparse
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from time import monotonic
from uuid import UUID

from rich.console import Console
from rich.progress import track

from strandline.model.intent import Decision
from strandline.model.rule import Rule
from strandline.model.signal import Flag
from strandline.settings import Settings
from strandline.strategy import load_strategy
from tests.simulated_year.desk import CYCLE, Cycle, Desk
from tests.simulated_year.market import market


@dataclass
class Figures:
    """What the desk did, as far as it tells whether the rules work against each other."""

    entries: int = 0
    fled: int = 0
    trims: int = 0
    trims_under_cost: int = 0
    exposure: list[float] = field(default_factory=list)
    equity: list[float] = field(default_factory=list)
    rules: Counter[str] = field(default_factory=Counter)
    days_tripped: set[date] = field(default_factory=set)
    _bought: dict[UUID, int] = field(default_factory=dict)

    def count(self, desk: Desk, cycle: Cycle, held_at: dict[UUID, float]) -> None:
        """Take in one cycle. `held_at` has the average entries before it."""
        self.exposure.append(float(cycle.exposure) / float(cycle.equity))
        self.equity.append(float(cycle.equity))
        if cycle.tripped:
            self.days_tripped.add(cycle.at.date())
        rows = {row.key.position_id: row for row in desk.rows}
        for decision in cycle.decisions:
            newest = rows[decision.position_id].seen[-1]
            bought = self._bought.get(decision.position_id)
            if bought is not None and newest.bar_count > bought:
                if Flag.EMERGENCY_EXIT in newest.flags:
                    self.fled += 1
                    del self._bought[decision.position_id]
                elif newest.bar_count >= bought + 3:
                    del self._bought[decision.position_id]
            if decision.intent is None:
                continue
            self.rules[decision.rule.label if decision.rule is not Rule.HOLD else "hold"] += 1
            if decision.intent.decision in (Decision.ADD, Decision.TREND_ADD):
                self.entries += 1
                self._bought[decision.position_id] = newest.bar_count
            if decision.intent.decision is Decision.TRIM:
                self.trims += 1
                price = float(cycle.prices[rows[decision.position_id].key.token_contract])
                self.trims_under_cost += price < held_at[decision.position_id]


def figures(desk: Desk, cycles: Iterable[Cycle]) -> Figures:
    """Trade these cycles, and count."""
    counted = Figures()
    held_at: dict[UUID, float] = {}
    for cycle in cycles:
        counted.count(desk, cycle, held_at)
        held_at = {
            row.key.position_id: float(entry)
            for row in desk.rows
            if (entry := desk.holding(row).average_entry) is not None
        }
    return counted


def main() -> None:
    """Trade a market and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulated_year", description=__doc__)
    parser.add_argument("--days", type=int, default=365, help="how many days are traded (365)")
    parser.add_argument("--seed", type=int, default=1, help="which market (1)")
    parser.add_argument("--without-regime", action="store_true", help="leave the market's phases and drivers neutral")
    options = parser.parse_args()
    began = monotonic()
    desk = Desk(market(options.seed, options.days), load_strategy(Settings()), with_regime=not options.without_regime)
    count = timedelta(days=options.days) // CYCLE
    made = figures(desk, track(desk.trade(options.days), "trading", total=count, console=Console(stderr=True)))
    trades = desk.trades.values()
    won = sum(float(trade.net_pnl) > 0 for trade in trades)
    peak, drawdown = 0.0, 0.0
    for equity in made.equity:
        peak = max(peak, equity)
        drawdown = max(drawdown, 1 - equity / peak)
    print(f"{len(made.equity):,} cycles of {len(desk.rows)} rows in {monotonic() - began:.0f} s")
    print(f"trades closed              {len(trades)}, {won} of them won")
    print(f"entries                    {made.entries}")
    print(f"trims a trade              {made.trims / max(1, len(trades)):.2f}")
    print(f"trims under cost           {made.trims_under_cost} of {made.trims}")
    print(f"emergency within 3 bars    {made.fled} of {made.entries} entries ({made.fled / max(1, made.entries):.1%})")
    print(
        f"average exposure           {sum(made.exposure) / len(made.exposure):.2%} of equity, "
        f"at most {max(made.exposure):.2%}"
    )
    print(f"equity                     {made.equity[-1] / made.equity[0] - 1:+.2%}, drawdown at most {drawdown:.2%}")
    print(f"days with a breaker        {len(made.days_tripped)}")
    print("decisions                  " + ", ".join(f"{rule} {count}" for rule, count in made.rules.most_common()))


if __name__ == "__main__":
    main()
