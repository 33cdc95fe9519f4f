"""Ten days of the simulated market: what must hold whatever the market does."""

from decimal import Decimal
from uuid import UUID

from strandline.model.exact import Price
from strandline.model.intent import Decision
from strandline.model.rule import Rule
from strandline.model.side import Side
from strandline.settings import Settings
from strandline.strategy import load_strategy
from tests.simulated_year.desk import Cycle, Desk
from tests.simulated_year.market import market

DAYS = 10
STRATEGY = load_strategy(Settings())


def test_a_desk_keeps_to_its_rules() -> None:
    """Exposure within the caps, trims at a profit, trails that never fall, one decision a row, books that balance."""
    desk = Desk(market(3, DAYS), STRATEGY)
    trails: dict[tuple[UUID, int], Price] = {}
    entries: dict[UUID, Price] = {}
    rules: set[Rule] = set()
    for cycle in desk.trade(DAYS):
        check_cycle(desk, cycle, trails, entries, rules)
        entries = {
            row.key.position_id: entry for row in desk.rows if (entry := desk.holding(row).average_entry) is not None
        }
    assert {Rule.FIRST_BUY, Rule.S2_BUY, Rule.TREND_END, Rule.TRIM} <= rules
    realised = sum((trade.net_pnl.decimal for trade in desk.trades.values()), Decimal(0))
    open_trades = sum(
        ((holding.realised_pnl - holding.fees).decimal for row in desk.rows if (holding := desk.holding(row)).quantity),
        Decimal(0),
    )
    assert desk.cash.decimal == 100_000 + realised + open_trades


def check_cycle(
    desk: Desk, cycle: Cycle, trails: dict[tuple[UUID, int], Price], entries: dict[UUID, Price], rules: set[Rule]
) -> None:
    """What must hold of every cycle; `entries` are the average entries before it."""
    rows = {row.key.position_id: row for row in desk.rows}
    assert sorted(decision.position_id for decision in cycle.decisions) == sorted(rows)
    part = Decimal("0.05")
    for decision in cycle.decisions:
        row = rows[decision.position_id]
        price = cycle.prices[row.key.token_contract]
        held, trail = decision.evidence.inputs.get("quantity"), decision.evidence.inputs.get("trail")
        if held and trail:
            key = decision.position_id, int(decision.evidence.inputs["trade_no"])
            assert Price(trail) >= trails.get(key, Price(trail))
            trails[key] = Price(trail)
        if decision.intent is None:
            continue
        rules.add(decision.rule)
        if decision.intent.decision is Decision.TRIM:
            assert price > entries[decision.position_id]
        if decision.intent.side is Side.BUY:
            spent = sum(
                desk.holding(one).cost.decimal for one in desk.rows if one.key.token_contract == row.key.token_contract
            )
            assert spent <= cycle.equity.decimal * part + Decimal("0.01")
