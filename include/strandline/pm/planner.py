"""Plans all rows: the exits of every row first, then entries, one after the other."""

from collections.abc import Iterator

from strandline.model.control import Halt
from strandline.model.rule import Rule
from strandline.model.strategy import Strategy
from strandline.pm.allocation import allocations, remaining
from strandline.pm.appetite import appetite_scores, cut_pressure
from strandline.pm.blocks import cycle_blocks, row_blocks
from strandline.pm.breakers import tripped
from strandline.pm.caps import Caps
from strandline.pm.context import RowContext
from strandline.pm.decide import decide_entry, decide_exit, hold_exit
from strandline.pm.decisions import Plan, RowDecision
from strandline.pm.entries import BUY_RULES
from strandline.pm.exits import SELL_RULES
from strandline.pm.inputs import CycleInputs
from strandline.pm.market import market_scores
from strandline.pm.rule_result import Results, evaluate, fired


def plan(inputs: CycleInputs, strategy: Strategy) -> Plan:
    """Make one decision per row, whatever the order of the rows."""
    strategy_hash, breakers = strategy.hash, tripped(inputs, strategy.breakers)
    decisions: list[RowDecision] = []
    staying: list[tuple[RowContext, Results, Results]] = []
    for ctx in _contexts(inputs, strategy, strategy_hash):
        sell_results = evaluate(SELL_RULES, ctx)
        rule = fired(sell_results)
        if rule and inputs.halt is Halt.ALL and rule is not Rule.MANUAL:
            decisions.append(hold_exit(ctx, rule, sell_results))
        elif rule:
            decisions.append(decide_exit(ctx, rule, sell_results))
        else:
            staying.append((ctx, sell_results, evaluate(BUY_RULES, ctx)))
    caps, everywhere = Caps(inputs, strategy), cycle_blocks(inputs, strategy, breakers)
    staying.sort(key=lambda row: _priority(row[0], row[2]))
    for ctx, sell_results, buy_results in staying:
        blocks = (*row_blocks(ctx), *everywhere)
        decisions.append(decide_entry(ctx, sell_results, buy_results, blocks, caps))
    decisions.sort(key=lambda decision: decision.position_id)
    return Plan(cycle=inputs.cycle, strategy_hash=strategy_hash, breakers=breakers, decisions=tuple(decisions))


def _priority(ctx: RowContext, buy_results: Results) -> tuple[int, float, str]:
    """Order entries for what the caps leave: by the lower rule, then by the greater appetite."""
    rule = fired(buy_results) or Rule.HOLD
    return rule.number, -ctx.scores.appetite, str(ctx.row.position.position_id)


def _contexts(inputs: CycleInputs, strategy: Strategy, strategy_hash: str) -> Iterator[RowContext]:
    market, pressure = market_scores(inputs.regime, inputs.cycle, strategy), cut_pressure(inputs, strategy)
    allocated = allocations(inputs, strategy)
    for row in inputs.rows:
        allocation = allocated[row.position.position_id]
        yield RowContext(
            row=row,
            cycle=inputs.cycle,
            strategy=strategy,
            strategy_hash=strategy_hash,
            scores=appetite_scores(row, inputs.cycle, market, pressure, strategy),
            equity=inputs.equity,
            allocation=allocation,
            remaining=remaining(row, allocation),
        )
