"""The history that the planner counts by, and the venues that have work."""

from datetime import timedelta
from decimal import Decimal

from strandline.execution import venues_with_work
from strandline.execution.intent_history import ended_exits, filled_intents
from strandline.execution.intents import read_open
from strandline.model.exact import Quantity
from strandline.model.intent import IntentStatus
from strandline.model.rule import Rule
from tests.execution.execution_bench import START, ExecutionBench
from tests.execution.scripted_venue import Behaviour, ScriptedExecutor, always


def test_only_fills_count(bench: ExecutionBench) -> None:
    bench.plan(0)
    bench.run(ScriptedExecutor(bench.venue, executes=always(Behaviour.NO_MATCH)))
    bench.plan(1)
    bench.run(ScriptedExecutor(bench.venue, prepares=always(Behaviour.SKIPS)))
    bench.clock.move(seconds=1)
    attempt, trend, state_since, level = (START - timedelta(hours=hours) for hours in (9, 8, 7, 6))
    named = {"attempt_id": attempt, "trend_id": trend, "state_since": state_since, "bar_count": 700, "level_id": level}
    bought = bench.plan(0, **named)
    bench.run(ScriptedExecutor(bench.venue, executes=always(Behaviour.FILLS_IN_PARTS)))
    with bench.engine.connect() as connection:
        (filled,) = filled_intents(connection, START - timedelta(days=1))
        assert filled_intents(connection, bench.clock()) == ()
    assert filled.intent_id == bought
    assert filled.rule is Rule.FIRST_BUY
    assert {name: getattr(filled, name) for name in named} == named
    assert filled.quantity == Quantity(1)
    assert filled.average_price.decimal == Decimal("100.51")


def test_ended_exits_are_counted_in_the_open_trade_only(bench: ExecutionBench) -> None:
    position_id = bench.rows[0].position_id
    bench.plan(0)
    bench.run()
    for trade, attempts in ((1, 2), (2, 1)):
        for _ in range(attempts):
            bench.clock.move(seconds=1)
            bench.plan_exit(0, trade_no=trade)
            bench.run(ScriptedExecutor(bench.venue, executes=always(Behaviour.NO_MATCH)))
            with bench.engine.connect() as connection:
                assert len(read_open(connection)) == 0
        with bench.engine.connect() as connection:
            assert ended_exits(connection) == {(position_id, Rule.STOP): attempts}
        bench.clock.move(seconds=1)
        bench.plan_exit(0, trade_no=trade)
        bench.run()
        bench.plan(0)
        bench.run()


def test_a_skipped_exit_counts_as_ended(bench: ExecutionBench) -> None:
    bench.plan(0)
    bench.run()
    for count in (1, 2):
        bench.clock.move(seconds=1)
        bench.plan_exit(0, trade_no=1)
        bench.run(ScriptedExecutor(bench.venue, prepares=always(Behaviour.SKIPS)))
        with bench.engine.connect() as connection:
            assert list(ended_exits(connection).values()) == [count]


def test_an_intent_is_open_until_its_end_is_known_and_its_venue_has_work(bench: ExecutionBench) -> None:
    def seen() -> tuple[list[IntentStatus], bool]:
        with bench.engine.connect() as connection:
            return [planned.status for planned in read_open(connection)], bool(venues_with_work(connection))

    assert seen() == ([], False)
    bench.plan(0)
    assert seen() == ([IntentStatus.PLANNED], True)
    bench.run(ScriptedExecutor(bench.venue, executes=always(Behaviour.LOSES_RESPONSE)))
    assert seen() == ([IntentStatus.UNKNOWN], True)
    bench.run()
    assert seen() == ([], True)
    bench.plan_exit(0)
    bench.run()
    assert seen() == ([], False)
