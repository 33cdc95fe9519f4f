"""What the planner counts by, and which venues have work."""

from datetime import timedelta
from decimal import Decimal

from strandline.execution import venues_with_work
from strandline.execution.intent_history import ended_exits, filled_intents, open_intents
from strandline.model.exact import Quantity
from strandline.model.intent import IntentStatus
from tests.execution.book_room import START, BookRoom
from tests.execution.fake_venue import FakeExecutor, Mood, always

EVIDENCE = '{"appetite":0.5,"exit_urgency":0.3,"rules_not_fired":{},"terms":{},"inputs":{"attempt_id":"a"}}'


def test_only_fills_count(room: BookRoom) -> None:
    room.plan(0)
    room.run(FakeExecutor(room.venue, executes=always(Mood.FINDS_NO_MATCH)))
    room.plan(1)
    room.run(FakeExecutor(room.venue, prepares=always(Mood.SKIPS)))
    room.clock.move(seconds=1)
    bought = room.plan(0, evidence=EVIDENCE)
    room.run(FakeExecutor(room.venue, executes=always(Mood.FILLS_IN_PARTS)))
    with room.engine.connect() as connection:
        (filled,) = filled_intents(connection, START - timedelta(days=1))
        assert filled_intents(connection, room.clock()) == ()
    assert filled.intent_id == bought
    assert filled.inputs == {"attempt_id": "a"}
    assert filled.quantity == Quantity(1)
    assert filled.average_price.decimal == Decimal("100.51")


def test_ended_exits_are_counted_in_the_open_trade_only(room: BookRoom) -> None:
    position_id = room.rows[0].position_id
    room.plan(0)
    room.run()
    for trade, attempts in ((1, 2), (2, 1)):
        for _ in range(attempts):
            room.clock.move(seconds=1)
            room.plan_exit(0, trade_no=trade)
            room.run(FakeExecutor(room.venue, executes=always(Mood.FINDS_NO_MATCH)))
            with room.engine.connect() as connection:
                assert len(open_intents(connection)) == 0
        with room.engine.connect() as connection:
            assert ended_exits(connection) == {(position_id, 1): attempts}
        room.clock.move(seconds=1)
        room.plan_exit(0, trade_no=trade)
        room.run()
        room.plan(0)
        room.run()


def test_an_intent_is_open_until_its_end_is_known_and_its_venue_has_work(room: BookRoom) -> None:
    def seen() -> tuple[list[IntentStatus], bool]:
        with room.engine.connect() as connection:
            return [planned.status for planned in open_intents(connection)], bool(venues_with_work(connection))

    assert seen() == ([], False)
    room.plan(0)
    assert seen() == ([IntentStatus.PLANNED], True)
    room.run(FakeExecutor(room.venue, executes=always(Mood.FILLS_UNHEARD)))
    assert seen() == ([IntentStatus.UNKNOWN], True)
    room.run()
    assert seen() == ([], True)
    room.plan_exit(0)
    room.run()
    assert seen() == ([], False)
