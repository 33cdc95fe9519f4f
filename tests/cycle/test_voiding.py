"""A person voids a cycle that should not have been planned; after that it has no effect."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import pytest
from sqlalchemy import Connection, text

from strandline.bars import roll_up
from strandline.configuration import make_settings
from strandline.cycle.context import Context
from strandline.cycle.engine_step import run_engine
from strandline.cycle.generations import begin_generations
from strandline.cycle.marks import read_marks, store_marks
from strandline.cycle.overtaken import run_overtaken
from strandline.cycle.planning import plan_cycle
from strandline.cycle.runs import TaskRun
from strandline.cycle.voiding import Voided, void_cycle
from strandline.engine import Engine, Series
from strandline.model.errors import StrandlineError
from strandline.model.exact import Price
from strandline.model.mark import Mark
from strandline.model.timeframe import Timeframe
from strandline.model.venue import VenueKey
from strandline.store.roles import Role
from strandline.strategy import load_strategy
from tests.bars.reference import expected_bars
from tests.bars.rows import Tick, add_ticks, stored_bars
from tests.conftest import Database
from tests.store.rows import HASH, INTENT, OTHER_POSITION, POSITION, insert

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
NOW = NOON + timedelta(minutes=2, seconds=30)
AHEAD = NOON + timedelta(hours=2)
"""The cycle that a slip of the time zone named; it was planned at NOW."""

PERPS = VenueKey.parse("hyperliquid/perps")
WHY = {"person": "ada", "reason": "two hours ahead"}


@pytest.fixture
def context(database: Database) -> Iterator[Context]:
    settings = make_settings()
    engine = database.engine(Role.APP)
    yield Context(settings, load_strategy(settings), engine, lambda: NOW, "test")
    engine.dispose()


def run(cycle: datetime) -> TaskRun:
    return TaskRun(cycle, "trading_cycle", "a run", "scheduled", "plan_intents", 1)


def at(context: Context, now: datetime) -> Context:
    return replace(context, clock=lambda: now)


def void(context: Context, cycle: datetime, *, keep_orders: bool = False) -> Voided:
    return void_cycle(context, cycle, person=WHY["person"], reason=WHY["reason"], keep_orders=keep_orders)


def rows(context: Context, query: str) -> list[Any]:
    with context.database.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def add_row(connection: Connection) -> None:
    insert(connection, "instruments")
    insert(connection, "positions")


def plan_ahead(connection: Connection, *intents: dict[str, object], now: datetime = NOW) -> None:
    """The cycle of the future, with these intents."""
    insert(connection, "cycles", cycle_t=AHEAD, decided_at=now)
    insert(connection, "runs", cycle_t=AHEAD, started_at=now - timedelta(seconds=5))
    for special in intents:
        insert(connection, "intents", cycle_t=AHEAD, expires_at=AHEAD + timedelta(minutes=5), **special)


def test_a_cycle_of_the_future_keeps_others_from_planning_until_it_is_voided(context: Context) -> None:
    assert plan_cycle(context, run(AHEAD))["outcome"] == "planned"
    assert run_overtaken(context, run(NOON)) == "superseded"
    void(context, AHEAD)
    assert run_overtaken(context, run(NOON)) is None
    assert plan_cycle(context, run(NOON))["outcome"] == "planned"


def test_a_voided_cycle_is_planned_again_in_its_time(context: Context) -> None:
    plan_cycle(context, run(AHEAD))
    void(context, AHEAD)
    in_time = at(context, AHEAD + timedelta(seconds=3))
    assert plan_cycle(in_time, run(AHEAD))["outcome"] == "planned"
    assert plan_cycle(in_time, run(AHEAD))["outcome"] == "already_planned"
    assert rows(context, "SELECT decided_at FROM cycles") == [(AHEAD + timedelta(seconds=3),)]


def test_a_cycle_that_was_refused_because_of_it_can_be_voided_too(context: Context) -> None:
    plan_cycle(context, run(AHEAD))
    assert plan_cycle(context, run(NOON))["outcome"] == "superseded"
    void(context, AHEAD)
    assert plan_cycle(context, run(NOON))["outcome"] == "already_planned"
    void(context, NOON)
    assert plan_cycle(context, run(NOON))["outcome"] == "planned"


def test_who_and_why_stand_in_the_chain_of_the_system(context: Context) -> None:
    plan_cycle(context, run(AHEAD))
    digest = rows(context, "SELECT decision_digest FROM cycles")[0][0]
    void(context, AHEAD)
    [(kind, cycle, body)] = rows(context, "SELECT kind, cycle_t, body FROM strands WHERE chain = 'system'")
    assert (kind, cycle) == ("control", AHEAD)
    inputs = json.loads(body)["inputs"]
    assert WHY.items() <= inputs.items()
    assert (inputs["outcome"], inputs["decision_digest"]) == ("planned", digest)


def test_intents_without_an_order_are_skipped(context: Context, database: Database) -> None:
    with database.session() as connection:
        add_row(connection)
        insert(connection, "positions", position_id=OTHER_POSITION, timeframe="5m")
        plan_ahead(
            connection,
            {},
            {"intent_id": OTHER_POSITION, "position_id": OTHER_POSITION, "status": "preparing", "epoch": 1},
            {"intent_id": POSITION, "status": "skipped", "status_reason": "no_balance"},
        )
    assert void(context, AHEAD) == Voided(skipped=2, marks=0, series=0, kept=0)
    assert sorted(rows(context, "SELECT status, status_reason FROM intents")) == [
        ("skipped", "no_balance"), ("skipped", "voided"), ("skipped", "voided")
    ]  # fmt: skip
    skips = rows(context, "SELECT body::jsonb ->> 'skip_reason' FROM strands WHERE chain = 'hyperliquid/perps'")
    assert skips == [("voided: two hours ahead",)] * 2


@pytest.mark.parametrize("status", ["ready", "sent", "unknown", "done", "failed"])
def test_a_cycle_with_orders_is_refused_unless_they_are_kept(context: Context, database: Database, status: str) -> None:
    with database.session() as connection:
        add_row(connection)
        plan_ahead(connection, {"status": status})
    before = rows(context, "SELECT c.*, i.* FROM cycles c JOIN intents i USING (cycle_t)")
    with pytest.raises(StrandlineError, match=rf"BTC 1h \(add, {status}\).*--keep-orders"):
        void(context, AHEAD)
    assert rows(context, "SELECT c.*, i.* FROM cycles c JOIN intents i USING (cycle_t)") == before
    assert void(context, AHEAD, keep_orders=True).kept == 1
    assert rows(context, "SELECT outcome, status FROM cycles JOIN intents USING (cycle_t)") == [("voided", status)]


def test_what_is_not_there_or_void_already_is_refused(context: Context) -> None:
    with pytest.raises(StrandlineError, match="nothing was done for 2026-01-05T14:00Z"):
        void(context, AHEAD)
    plan_cycle(context, run(AHEAD))
    void(context, AHEAD)
    with pytest.raises(StrandlineError, match="void already"):
        void(context, AHEAD)


def test_its_prices_count_no_more(context: Context, database: Database) -> None:
    """Those of NOW must not be the ones by which the real cycle decides two hours later."""
    early, in_time = (Mark(price=Price(price), source="mark", observed_at=NOW) for price in ("100", "120"))
    with database.session() as connection:
        insert(connection, "instruments")
        plan_ahead(connection)
    with context.database.begin() as connection:
        store_marks(connection, AHEAD, PERPS, {"BTC": early})
    assert void(context, AHEAD).marks == 1
    with context.database.begin() as connection:
        assert read_marks(connection, AHEAD).newest == {}
        assert store_marks(connection, AHEAD, PERPS, {"BTC": in_time}) == 1
        assert read_marks(connection, AHEAD).of_cycle == {1: in_time}


def test_what_other_cycles_left_stays(context: Context, database: Database) -> None:
    mark = Mark(price=Price("100"), source="mark", observed_at=NOW)
    with database.session() as connection:
        add_row(connection)
        insert(connection, "positions", position_id=OTHER_POSITION, timeframe="5m")
        plan_ahead(connection, {})
        insert(connection, "cycles", cycle_t=NOON)
        other = {"intent_id": OTHER_POSITION, "position_id": OTHER_POSITION, "expires_at": AHEAD}
        insert(connection, "intents", cycle_t=NOON, **other)
    with context.database.begin() as connection:
        for cycle in (NOON, AHEAD):
            store_marks(connection, cycle, PERPS, {"BTC": mark})
    assert void(context, AHEAD) == Voided(skipped=1, marks=1, series=0, kept=0)
    assert rows(context, "SELECT cycle_t, status FROM intents ORDER BY 1") == [(NOON, "planned"), (AHEAD, "skipped")]
    assert rows(context, "SELECT cycle_t, voided FROM marks ORDER BY 1") == [(NOON, False), (AHEAD, True)]
    assert rows(context, "SELECT cycle_t, outcome FROM cycles ORDER BY 1") == [(NOON, "planned"), (AHEAD, "voided")]


def test_what_a_cycle_left_that_was_never_planned_can_be_voided(context: Context, database: Database) -> None:
    """Its first steps ran, then it was killed, or its planning failed."""
    early, in_time = (Mark(price=Price(price), source="mark", observed_at=NOW) for price in ("100", "120"))
    with database.session() as connection:
        insert(connection, "instruments")
        insert(connection, "runs", cycle_t=AHEAD, task_id="observe_venues", started_at=NOW)
    with context.database.begin() as connection:
        store_marks(connection, AHEAD, PERPS, {"BTC": early})
    assert void(context, AHEAD) == Voided(skipped=0, marks=1, series=0, kept=0)
    [body] = rows(context, "SELECT body::jsonb -> 'inputs' ->> 'outcome' FROM strands WHERE chain = 'system'")
    assert body == ("unplanned",)
    with pytest.raises(StrandlineError, match="void already"):
        void(context, AHEAD)
    with context.database.begin() as connection:
        assert store_marks(connection, AHEAD, PERPS, {"BTC": in_time}) == 1
    assert plan_cycle(at(context, AHEAD), run(AHEAD))["outcome"] == "planned"


def test_a_cycle_whose_only_runs_were_refused_left_nothing(context: Context, database: Database) -> None:
    with database.session() as connection:
        insert(connection, "runs", cycle_t=AHEAD, started_at=NOW, ended_at=NOW, succeeded=False)
    with pytest.raises(StrandlineError, match="nothing was done for 2026-01-05T14:00Z"):
        void(context, AHEAD)


def test_its_equity_is_no_earlier_cycles_equity(context: Context, database: Database) -> None:
    with database.session() as connection:
        plan_ahead(connection)
        insert(connection, "equity", cycle_t=AHEAD)
        insert(connection, "cycles", cycle_t=AHEAD - timedelta(minutes=5))
        insert(connection, "equity", cycle_t=AHEAD - timedelta(minutes=5), peak=10500)
    void(context, AHEAD)
    later = AHEAD + timedelta(minutes=5)
    plan_cycle(at(context, later), run(later))
    with context.database.connect() as connection:
        peak = connection.scalar(text("SELECT peak FROM equity WHERE cycle_t = :later"), {"later": later})
    assert peak == 10500


def test_a_cycle_that_is_planned_again_keeps_the_strands_of_its_holds(context: Context, database: Database) -> None:
    with database.session() as connection:
        add_row(connection)
    plan_cycle(context, run(AHEAD))
    void(context, AHEAD)
    with database.session() as connection:
        for suite in ("ticks", "bars", "rows", "signals"):
            insert(connection, "quality_runs", cycle_t=AHEAD, suite=suite)
    plan_cycle(at(context, AHEAD), run(AHEAD))
    reasons = rows(context, "SELECT body::jsonb ->> 'reasons' FROM strands WHERE kind = 'hold' ORDER BY seq")
    assert len(reasons) == 2
    assert reasons[0] != reasons[1]


# Bars that were not over yet.


def position_of(timeframe: Timeframe) -> str:
    return str(uuid5(NAMESPACE_OID, timeframe))


def ticks(begin: datetime, end: datetime, apart: timedelta) -> list[Tick]:
    count = -(-(end - begin) // apart)
    times = [begin + number * apart for number in range(count)]
    return [Tick(1, ts, int(ts.timestamp()), 100.0 + int(ts.timestamp()) // 20 % 7) for ts in times]


BEFORE = ticks(NOON - timedelta(minutes=20), NOW, timedelta(seconds=20))
AFTER = ticks(NOW + timedelta(seconds=1), NOON + timedelta(minutes=6), timedelta(seconds=20))
AFTER += ticks(NOON + timedelta(minutes=6), NOON + timedelta(hours=12), timedelta(minutes=10))
MIDNIGHT = NOON + timedelta(hours=12)


@pytest.fixture
def too_early(context: Context, database: Database) -> Context:
    """Bars of every timeframe were stored and stepped as final in the middle of them."""
    with database.session() as connection:
        insert(connection, "instruments")
        for timeframe in Timeframe:
            insert(connection, "positions", position_id=position_of(timeframe), timeframe=timeframe)
        connection.execute(text("SELECT ensure_tick_partitions('2026-01-05', '2026-01-06')"))
        add_ticks(connection, BEFORE)
    roll_up(context.database, AHEAD)
    run_engine(context.database, context.strategy, AHEAD)
    return context


def step_until_midnight(context: Context, database: Database) -> None:
    """The rest of the day."""
    with database.session() as connection:
        add_ticks(connection, AFTER)
    for cycle in (NOON + timedelta(minutes=5), MIDNIGHT):
        roll_up(context.database, cycle)
        run_engine(context.database, context.strategy, cycle)


def add_planned(connection: Connection, cycle: datetime, now: datetime) -> None:
    """A cycle that was planned on all bars that there are."""
    known = connection.scalar(text("SELECT seq FROM commit_counter"))
    insert(connection, "cycles", cycle_t=cycle, decided_at=now, known_seq=known)
    insert(connection, "runs", cycle_t=cycle, task_id="plan_intents", started_at=now, ended_at=now, succeeded=True)


def series_with_faults(context: Context) -> list[str]:
    """The timeframes whose state differs from one that was stepped through the bars as they are now."""
    states = text("SELECT timeframe::text, state_bytes, generation FROM engine_states WHERE adopted ORDER BY timeframe")
    with context.database.begin() as connection:
        found = connection.execute(states).all()
        series = [Series(1, Timeframe(row.timeframe), row.generation) for row in found]
        begin_generations(connection, series, Engine(context.strategy).new_state())
    run_engine(context.database, context.strategy, MIDNIGHT)
    with context.database.connect() as connection:
        anew = connection.execute(states).all()
    return [is_.timeframe for is_, should in zip(found, anew, strict=True) if is_.state_bytes != should.state_bytes]


def test_bars_are_rebuilt_when_the_rest_of_their_ticks_comes(too_early: Context, database: Database) -> None:
    step_until_midnight(too_early, database)
    with too_early.database.connect() as connection:
        assert stored_bars(connection, [1]) == expected_bars([*BEFORE, *AFTER], [], MIDNIGHT)


def test_the_engine_steps_them_again_by_itself_once_they_are_rebuilt(too_early: Context, database: Database) -> None:
    step_until_midnight(too_early, database)
    assert series_with_faults(too_early) == []


def test_voiding_begins_their_series_anew(too_early: Context, database: Database) -> None:
    """Those of four hours and of a day are not over two hours ahead either."""
    with database.session() as connection:
        plan_ahead(connection)
    assert void(too_early, AHEAD).series == 4
    step_until_midnight(too_early, database)
    assert series_with_faults(too_early) == []


@pytest.mark.parametrize("planned_before", [True, False])
@pytest.mark.parametrize("clock", [NOW, AHEAD + timedelta(seconds=5)])
def test_bars_of_a_cycle_that_was_never_planned_are_stepped_anew_too(
    too_early: Context, database: Database, clock: datetime, planned_before: bool
) -> None:
    """Rebuilt or not, and whatever the clock said."""
    with database.session() as connection:
        if planned_before:
            add_planned(connection, NOON, clock)
        insert(
            connection, "runs", cycle_t=AHEAD, task_id="run_engine", started_at=clock, ended_at=clock, succeeded=True
        )
    step_until_midnight(too_early, database)
    with database.session() as connection:
        add_planned(connection, MIDNIGHT, MIDNIGHT)
    assert void(at(too_early, MIDNIGHT + timedelta(seconds=3)), AHEAD).series == 4
    run_engine(too_early.database, too_early.strategy, MIDNIGHT)
    assert series_with_faults(too_early) == []


def test_bars_that_changed_before_an_unplanned_cycle_ran_stay_as_they_were_stepped(
    too_early: Context, database: Database
) -> None:
    step_until_midnight(too_early, database)
    later = MIDNIGHT + timedelta(minutes=5)
    with database.session() as connection:
        add_planned(connection, MIDNIGHT, MIDNIGHT)
        insert(
            connection, "runs", cycle_t=later, task_id="run_engine", started_at=later, ended_at=later, succeeded=True
        )
    assert void(at(too_early, later), later).series == 0


def test_voiding_after_they_were_rebuilt_does_the_same(too_early: Context, database: Database) -> None:
    """Whatever the clock said: one that had jumped stamped its runs with times that never were."""
    with database.session() as connection:
        plan_ahead(connection, now=AHEAD + timedelta(seconds=5))
    step_until_midnight(too_early, database)
    late = at(too_early, MIDNIGHT + timedelta(seconds=3))
    assert void(late, AHEAD).series == 4
    run_engine(too_early.database, too_early.strategy, MIDNIGHT)
    assert series_with_faults(too_early) == []


def test_the_planner_reads_their_signals_again(too_early: Context, database: Database) -> None:
    hour = timedelta(hours=1)
    with database.session() as connection:
        plan_ahead(connection)
        due = {"bar_ts": NOON, "exit_due": "trend_over"}
        state = {Timeframe.H1: {**due, "exit_due_bar": NOON}, Timeframe.M15: {**due, "exit_due_bar": NOON - hour}}
        for timeframe, special in state.items():
            insert(connection, "planner_state", position_id=position_of(timeframe), **special)
        insert(connection, "planner_state", position_id=position_of(Timeframe.M5), **due, exit_due_bar=NOON)
        insert(connection, "intents", cycle_t=AHEAD, expires_at=MIDNIGHT, position_id=position_of(Timeframe.M5),
               source_bar=NOON, intent_id=INTENT, strategy_hash=HASH)  # fmt: skip
    void(too_early, AHEAD)
    states = {
        position_id: kept
        for position_id, *kept in rows(
            too_early, "SELECT position_id::text, bar_ts, exit_due::text, exit_due_bar FROM planner_state"
        )
    }
    # What was due by an early bar is forgotten, what was due before stays.
    assert states[position_of(Timeframe.H1)] == [NOON - hour, None, None]
    assert states[position_of(Timeframe.M15)] == [NOON - timedelta(minutes=15), "trend_over", NOON - hour]
    # Planned again, the intent to buy would have the same id.
    assert states[position_of(Timeframe.M5)] == [NOON, "trend_over", NOON]
