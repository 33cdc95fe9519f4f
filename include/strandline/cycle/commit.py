"""Commits what was decided about a cycle, all of it in the planner's transaction."""

from msgspec.structs import replace
from sqlalchemy import Connection

from strandline.cycle.breaker_strands import breaker_drafts
from strandline.cycle.context import Context
from strandline.cycle.hold_strands import hold_drafts
from strandline.cycle.inputs import PlanningData
from strandline.cycle.outbox import insert_cycle, insert_intents, save_planner_states
from strandline.cycle.overtaken import Overtaken
from strandline.cycle.runs import TaskRun
from strandline.execution import cancel
from strandline.ledger.equity import record
from strandline.ledger.strands import SYSTEM, append
from strandline.pm.decisions import Plan


def commit_plan(connection: Connection, context: Context, data: PlanningData, plan: Plan) -> None:
    """Store the cycle, its equity, the intents and planner states; cancel entries; append a strand for each new hold
    and for each breaker that trips.

    What locks the heads of the chains comes last, because executors wait for them.
    """
    now, code_version = context.clock(), context.code_version
    insert_cycle(connection, plan.cycle, plan, now=now, code_version=code_version, strategy_hash=plan.strategy_hash)
    record(connection, replace(data.equity, breakers=plan.breakers))
    insert_intents(connection, plan.decisions, now)
    save_planner_states(connection, plan.decisions)
    cancelled = [intent_id for decision in plan.decisions for intent_id in decision.cancels]
    cancel(connection, cancelled, "exit_comes_first", now=now, code_version=code_version)
    drafts = hold_drafts(connection, plan, data.rows, now, code_version)
    for chain in sorted(drafts):
        append(connection, chain, drafts[chain])
    append(connection, SYSTEM, breaker_drafts(plan, data.equity, now, code_version))


def commit_overtaken(connection: Connection, context: Context, run: TaskRun, reason: Overtaken) -> None:
    """Store why the cycle was not planned."""
    insert_cycle(
        connection,
        run.cycle,
        reason,
        now=context.clock(),
        code_version=context.code_version,
        strategy_hash=context.strategy.hash,
    )
