"""All rows at once: the exits of every row first, then entries, one after the other."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from strandline.model.strategy import Strategy
from strandline.pm.allocation import allocations, remaining
from strandline.pm.appetite import pressure_of, urges_of
from strandline.pm.blocks import blocks_everywhere, blocks_of
from strandline.pm.caps import Caps
from strandline.pm.context import RowContext
from strandline.pm.decisions import Decided, Plan
from strandline.pm.entries import BUY_RULES
from strandline.pm.exits import SELL_RULES
from strandline.pm.inputs import CycleInputs
from strandline.pm.outcomes import HOLD, entry_outcome, exit_outcome
from strandline.pm.proposals import Buy, Verdict, judge


def plan(inputs: CycleInputs, strategy: Strategy) -> Plan:
    """One decision per row. The order of the rows does not matter."""
    strategy_hash = strategy.hash
    decided: list[Decided] = []
    staying: list[_Staying] = []
    for at in _situations(inputs, strategy, strategy_hash):
        sold = judge(SELL_RULES, at)
        if sold.fired:
            decided.append(exit_outcome(at, sold.fired, sold.not_fired))
        else:
            staying.append(_Staying(at, sold.not_fired, judge(BUY_RULES, at)))
    caps, everywhere = Caps(inputs, strategy), blocks_everywhere(inputs, strategy)
    for row in sorted(staying, key=_Staying.turn):
        blocks = (*blocks_of(row.at), *everywhere)
        decided.append(entry_outcome(row.at, row.not_sold, row.bought, blocks, caps))
    decided.sort(key=lambda one: one.position_id)
    return Plan(cycle=inputs.cycle, strategy_hash=strategy_hash, decisions=tuple(decided))


@dataclass(frozen=True)
class _Staying:
    """A row that sells nothing."""

    at: RowContext
    not_sold: Mapping[str, str]
    bought: Verdict[Buy]

    def turn(self) -> tuple[int, float, str]:
        """Its place in the queue for what the caps leave."""
        rule = self.bought.fired.rule if self.bought.fired else HOLD
        return rule, -self.at.urges.appetite, str(self.at.row.position.position_id)


def _situations(inputs: CycleInputs, strategy: Strategy, strategy_hash: str) -> Iterator[RowContext]:
    pressure = pressure_of(inputs, strategy)
    allocated = allocations(inputs, strategy)
    for row in inputs.rows:
        allocation = allocated[row.position.position_id]
        yield RowContext(
            row=row,
            cycle=inputs.cycle,
            strategy=strategy,
            strategy_hash=strategy_hash,
            urges=urges_of(row, inputs.cycle, pressure, strategy),
            equity=inputs.equity,
            allocation=allocation,
            remaining=remaining(row, allocation),
        )
