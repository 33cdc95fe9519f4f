"""A halt acts inside a running cycle, before the next order; a person's own exit passes."""

from collections.abc import Callable

import pytest
from sqlalchemy import text

from strandline.execution import VenueRun, read_halt
from strandline.model.control import Halt
from tests.execution.execution_bench import ExecutionBench
from tests.execution.scripted_venue import Behaviour, ScriptedExecutor, always
from tests.store.rows import insert


def order(bench: ExecutionBench, control: str) -> None:
    """Give an order as a person does."""
    with bench.admin.begin() as connection:
        insert(connection, "controls", control=control, given_at=bench.clock())


def at(point: str, number: int, act: Callable[[], None]) -> Callable[[str], None]:
    """Act when this point is reached for the given time."""
    seen: list[str] = []

    def checkpoint(name: str) -> None:
        seen.append(name)
        if name == point and seen.count(point) == number:
            act()

    return checkpoint


@pytest.mark.parametrize("control", Halt)
def test_a_halt_between_two_entries_stops_the_second(bench: ExecutionBench, control: Halt) -> None:
    first, second = bench.plan(0), bench.plan(2)
    done = bench.run(checkpoint=at("booked", 1, lambda: order(bench, control)))
    assert done == VenueRun(filled=1, skipped=1)
    assert sorted([bench.status(first), bench.status(second)], key=str) == [("done", None), ("skipped", control)]
    assert len(bench.venue.accepted) == 1
    bench.check_settled()


def test_under_a_halt_the_venue_is_not_even_asked(bench: ExecutionBench) -> None:
    order(bench, "halt")
    entry = bench.plan(0)
    bench.run(ScriptedExecutor(bench.venue, prepares=always(Behaviour.IS_DOWN)))
    assert bench.status(entry) == ("skipped", "halt")


def test_a_halt_while_an_order_is_prepared_stops_it(bench: ExecutionBench) -> None:
    entry = bench.plan(0)
    assert bench.run(checkpoint=at("prepared", 1, lambda: order(bench, "halt"))) == VenueRun(skipped=1)
    assert bench.status(entry) == ("skipped", "halt")
    assert not bench.venue.accepted
    assert [strand.skip_reason for strand in bench.strands()] == ["halt"]


def test_exits_pass_a_halt_and_not_a_halt_of_everything(bench: ExecutionBench) -> None:
    bench.plan(0, notional=200)
    bench.run()
    order(bench, "halt")
    bench.clock.move(seconds=1)
    bench.plan_exit(0)
    assert bench.run() == VenueRun(filled=1)
    order(bench, "resume")
    bench.clock.move(seconds=1)
    bench.plan(0, notional=200)
    bench.run()
    order(bench, "halt_all")
    bench.clock.move(seconds=1)
    stopped = bench.plan_exit(0)
    assert bench.run() == VenueRun(skipped=1)
    assert bench.status(stopped) == ("skipped", "halt_all")
    assert bench.held(0) == 2


def test_what_a_person_wants_sold_passes_every_halt(bench: ExecutionBench) -> None:
    bench.plan(0, notional=200)
    bench.run()
    order(bench, "halt_all")
    bench.clock.move(seconds=1)
    bench.plan(0, decision="demote", rule="manual", exit_reason="manual")
    assert bench.run() == VenueRun(filled=1)
    assert bench.held(0) == 0
    assert bench.query("SELECT close_reason FROM trades")[0].close_reason == "manual"


def test_an_order_that_was_sent_before_the_halt_is_recovered(bench: ExecutionBench) -> None:
    """Its fate must be known; only new orders are stopped."""

    class Dies(BaseException):
        """The process ends here."""

    def die() -> None:
        raise Dies

    entry = bench.plan(0)
    with pytest.raises(Dies):
        bench.run(checkpoint=at("answered", 1, die))
    order(bench, "halt_all")
    assert bench.run() == VenueRun(recovered=1)
    assert bench.status(entry) == ("done", None)


def test_the_newest_order_holds(bench: ExecutionBench) -> None:
    def halt() -> Halt | None:
        with bench.engine.connect() as connection:
            found = read_halt(connection)
        return found and found.halt

    assert halt() is None
    for control, holds in (
        ("halt", Halt.ENTRIES), ("reset", Halt.ENTRIES), ("halt_all", Halt.ALL), ("flatten", Halt.ALL),
        ("resume", None), ("halt", Halt.ENTRIES),
    ):  # fmt: skip
        order(bench, control)
        assert halt() is holds


def test_it_says_who_and_why(bench: ExecutionBench) -> None:
    order(bench, "halt_all")
    with bench.engine.connect() as connection:
        found = read_halt(connection)
        now = connection.scalar(text("SELECT to_char(given_at, 'YYYY-MM-DD HH24:MI:SS\"Z\"') FROM controls"))
    assert str(found) == f"every order halted by anna since {now}: news"
