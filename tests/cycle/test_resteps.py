"""A bar that is revised after the engine took it in: the series steps again, and ends as if it had known it always."""

from collections.abc import Callable, Sequence
from datetime import datetime
from random import Random
from typing import Any

import msgspec
import pytest
from sqlalchemy import text

from strandline.cycle import resteps
from strandline.cycle.engine_step import EngineRun, run_engine
from strandline.cycle.signals import revised_signals, signals_since
from strandline.engine import Bars
from strandline.model.signal import Signal
from strandline.pm.inputs import PlannerState
from strandline.store.roles import Role
from tests.conftest import Database
from tests.cycle.test_engine_step import BARS, KEY, MINUTE, T0, add_row, end_of, expected, insert_bars, withhold
from tests.engine import samples
from tests.engine.samples import STRATEGY
from tests.store.rows import OTHER_POSITION, POSITION, insert

Step = Callable[[datetime], EngineRun]


@pytest.fixture
def step(database: Database) -> Step:
    """Run the step of a cycle."""
    app = database.engine(Role.APP)
    return lambda cycle: run_engine(app, STRATEGY, cycle)


def revise(database: Database, *bars: int, by: float = 1.01, known_seq: int = 2) -> None:
    """Revise these bars: their high is higher."""
    with database.session() as connection:
        connection.execute(
            text("""
            UPDATE bars SET revision = revision + 1, known_seq = :known_seq, high = high * :by
            WHERE timeframe = '1m' AND ts = ANY(:ts)
            """),
            {"ts": [T0 + number * MINUTE for number in bars], "by": by, "known_seq": known_seq},
        )


def with_high(bars: Bars, number: int, by: float = 1.01) -> Bars:
    """These bars, one of them revised."""
    high, revision = bars.high.copy(), bars.revision.copy()
    high[number] *= by
    revision[number] += 1
    return bars._replace(high=high, revision=revision)


def numbers(signals: Sequence[Signal]) -> list[Signal]:
    """What the engine computed, whatever the restep."""
    return [msgspec.structs.replace(signal, restep=0) for signal in signals]


def stepped_each_ten_minutes(database: Database, step: Step, until: int = 800, **special: Any) -> None:
    """A series that has stepped 700 bars at once and then ten at a time."""
    with database.session() as connection:
        add_row(connection, position_id=POSITION, **special)
        insert_bars(connection, BARS)
    for count in range(700, until + 1, 10):
        step(end_of(count))


def newest_signals(database: Database, since: int) -> tuple[Signal, ...]:
    """The newest signal of each bar from this one on."""
    with database.session() as connection:
        return signals_since(connection, {KEY: T0 + (since - 1) * MINUTE}, end_of(900)).by_series[KEY]


def test_a_revised_bar_steps_its_series_again_from_a_state_before_it(database: Database, step: Step) -> None:
    stepped_each_ten_minutes(database, step)
    revise(database, 785)
    run = step(end_of(800))
    assert (run.resteps, run.signals) == (1, 15)
    assert run.bars < 2 * resteps.CHECKPOINT_BARS
    revised = samples.bars_between(with_high(BARS, 785), 0, 800)
    assert numbers(newest_signals(database, 785)) == list(expected(revised, 15))
    assert {signal.restep for signal in newest_signals(database, 785)} == {1}
    assert {signal.restep for signal in newest_signals(database, 760)[:25]} == {0}
    assert step(end_of(800)) == EngineRun(series=1, bars=0, signals=0, ready=1)


def test_the_newest_bar_may_be_revised_too(database: Database, step: Step) -> None:
    stepped_each_ten_minutes(database, step)
    revise(database, 799)
    assert step(end_of(800)).resteps == 1
    revised = samples.bars_between(with_high(BARS, 799), 0, 800)
    assert numbers(newest_signals(database, 799)) == list(expected(revised, 1))


def test_a_state_that_has_taken_in_the_revised_bar_is_not_gone_back_to(database: Database, step: Step) -> None:
    """The states kept after 780 bars and later are wrong from then on."""
    stepped_each_ten_minutes(database, step)
    revise(database, 779)
    assert step(end_of(800)).bars == 80
    revise(database, 790, known_seq=3)
    assert step(end_of(800)).resteps == 1
    revised = samples.bars_between(with_high(with_high(BARS, 779), 790), 0, 800)
    assert numbers(newest_signals(database, 779)) == list(expected(revised, 21))


def test_a_series_that_was_archived_does_not_step_the_others_again(database: Database, step: Step) -> None:
    """It has not taken in what they have."""
    stepped_each_ten_minutes(database, step, until=700)
    with database.session() as connection:
        insert(connection, "positions", position_id=OTHER_POSITION, timeframe="5m")
        insert(connection, "bars", timeframe="5m", ts=T0)
    step(end_of(700))
    archived = text("UPDATE positions SET desired_status = :status WHERE timeframe = '5m'")
    with database.session() as connection:
        connection.execute(archived, {"status": "archived"})
    revise(database, 800)
    step(end_of(810))
    with database.session() as connection:
        connection.execute(archived, {"status": "open"})
    assert step(end_of(810)) == EngineRun(series=2, bars=0, signals=0, ready=1)


def test_the_old_signals_stay_under_their_revision(database: Database, step: Step) -> None:
    stepped_each_ten_minutes(database, step)
    old = newest_signals(database, 785)
    revise(database, 785)
    step(end_of(800))
    with database.session() as connection:
        rows = connection.execute(
            text("SELECT uptrend_engine_v4 FROM features WHERE restep = 0 AND ts >= :ts ORDER BY ts"),
            {"ts": T0 + 785 * MINUTE},
        ).scalars()
        assert [msgspec.convert(row, Signal) for row in rows] == list(old)
        record = connection.execute(text("SELECT since, until, restep, cycle_t, known_seq FROM resteps")).one()
    assert tuple(record) == (T0 + 785 * MINUTE, T0 + 799 * MINUTE, 1, end_of(800), 2)


def test_new_bars_after_a_revised_one_are_not_of_the_restep(database: Database, step: Step) -> None:
    stepped_each_ten_minutes(database, step)
    revise(database, 795)
    assert step(end_of(805)).resteps == 1
    assert [signal.restep for signal in newest_signals(database, 795)] == 5 * [1] + 5 * [0]
    revised = samples.bars_between(with_high(BARS, 795), 0, 805)
    assert numbers(newest_signals(database, 795)) == list(expected(revised, 10))


def test_a_bar_that_comes_late_between_stepped_ones_is_stepped_in_its_place(database: Database, step: Step) -> None:
    without = samples.concatenated(samples.bars_between(BARS, 0, 790), samples.bars_between(BARS, 791, 800))
    with database.session() as connection:
        add_row(connection)
        insert_bars(connection, without)
    for count in (700, 780, 800):
        step(end_of(count))
    with database.session() as connection:
        insert_bars(connection, samples.bars_between(BARS, 790, 791), known_seq=2)
    assert step(end_of(800)).resteps == 1
    assert numbers(newest_signals(database, 790)) == list(expected(samples.bars_between(BARS, 0, 800), 10))


@pytest.mark.parametrize(
    ("change", "resteps"),
    [
        ("ticks = ticks + 1, source = 'a'", 0),
        ("repaired = true, outage = true", 0),
        ("vwap = 1, quote_volume = 1", 0),
        ("open = low", 1),
        ("high = high * 2", 1),
        ("low = low / 2", 1),
        ("close = high", 1),
        ("volume = volume + 1", 1),
        ("volume = NULL", 1),
        ("gap_detected = true, gap_type = 'weekend'", 1),
        ("gap_magnitude_pct = 1", 1),
    ],
)
def test_only_a_revision_of_what_the_engine_reads_is_one(
    database: Database, step: Step, change: str, resteps: int
) -> None:
    stepped_each_ten_minutes(database, step)
    with database.session() as connection:
        connection.execute(
            text(f"UPDATE bars SET revision = 1, known_seq = 2, {change} WHERE ts = :ts"), {"ts": end_of(790)}
        )
    run = step(end_of(800))
    assert (run.resteps, run.bars > 0) == (resteps, resteps > 0)


def test_a_bar_that_is_revised_twice_between_two_runs_and_ends_as_it_was_is_none(
    database: Database, step: Step
) -> None:
    stepped_each_ten_minutes(database, step)
    revise(database, 790, by=2.0, known_seq=2)
    revise(database, 790, by=0.5, known_seq=3)
    assert step(end_of(800)).resteps == 0


def test_a_revised_bar_that_is_withheld_is_left_out(database: Database, step: Step) -> None:
    stepped_each_ten_minutes(database, step)
    revise(database, 790)
    with database.session() as connection:
        withhold(connection, end_of(790), cycle=end_of(800))
    assert step(end_of(800)).resteps == 1
    left = samples.concatenated(samples.bars_between(BARS, 0, 790), samples.bars_between(BARS, 791, 800))
    assert numbers(newest_signals(database, 791)) == list(expected(left, 9))


def test_a_revision_that_is_older_than_what_is_kept_makes_a_generation(database: Database, step: Step) -> None:
    stepped_each_ten_minutes(database, step)
    revise(database, 650)
    assert step(end_of(800)) == EngineRun(series=1, bars=800, signals=120, ready=1)
    with database.session() as connection:
        adopted = connection.execute(text("SELECT generation, adopted FROM engine_states ORDER BY 1")).all()
    assert [tuple(one) for one in adopted] == [(1, False), (2, True)]
    revised = samples.bars_between(with_high(BARS, 650), 0, 800)
    new = [msgspec.structs.replace(signal, generation=2) for signal in expected(revised, 120)]
    assert newest_signals(database, 680) == tuple(new)
    assert step(end_of(800)) == EngineRun(series=1, bars=0, signals=0, ready=1)


def test_a_generation_that_waits_is_not_begun_again_by_the_same_revision(database: Database, step: Step) -> None:
    stepped_each_ten_minutes(database, step)
    with database.session() as connection:
        insert(connection, "holdings", position_id=POSITION, quantity=1)
    revise(database, 650)
    assert step(end_of(800)).bars == 800
    assert step(end_of(810)).bars == 20
    revise(database, 805, known_seq=3)
    assert step(end_of(820)).resteps == 2
    with database.session() as connection:
        adopted = connection.execute(text("SELECT generation, adopted FROM engine_states ORDER BY 1")).all()
    assert [tuple(one) for one in adopted] == [(1, True), (2, False)]


def test_only_the_newest_states_are_kept(database: Database, step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resteps, "CHECKPOINT_BARS", 10)
    monkeypatch.setattr(resteps, "KEPT_CHECKPOINTS", 4)
    stepped_each_ten_minutes(database, step)
    with database.session() as connection:
        kept = connection.scalars(text("SELECT bar_count FROM engine_checkpoints ORDER BY 1")).all()
    assert kept == [770, 780, 790, 800]
    revise(database, 785)
    step(end_of(800))
    with database.session() as connection:
        kept = connection.scalars(text("SELECT bar_count FROM engine_checkpoints ORDER BY 1")).all()
    assert kept == [770, 780]


@pytest.mark.parametrize("seed", range(6))
def test_however_bars_are_revised_a_series_ends_as_if_it_had_known_them_always(
    database: Database, step: Step, seed: int
) -> None:
    """Six runs to some bar each, before which some of the newest stepped bars are revised."""
    random = Random(seed)
    with database.session() as connection:
        add_row(connection)
        insert_bars(connection, BARS)
    step(end_of(660))
    known, stepped = BARS, 660
    for known_seq, until in enumerate(sorted(random.sample(range(700, 900), 6)), 2):
        for number in random.sample(range(stepped - 40, stepped), random.randrange(4)):
            revise(database, number, by=1.001, known_seq=known_seq)
            known = with_high(known, number, by=1.001)
        step(end_of(until))
        stepped = until
    whole = expected(samples.bars_between(known, 0, stepped), 40)
    assert [one.indicators for one in newest_signals(database, stepped - 40)] == [one.indicators for one in whole]
    assert [one.input_hash for one in newest_signals(database, stepped - 40)] == [one.input_hash for one in whole]


def planned(bar: int, **special: Any) -> PlannerState:
    """The planner state of a row whose signals were planned up to this bar."""
    fields: dict[str, Any] = {"generation": 1, "bar_ts": T0 + bar * MINUTE, "bar_revision": 0, "trade_no": 1}
    return PlannerState(**(fields | special))


def read_revised(database: Database, state: PlannerState) -> tuple[Signal, ...]:
    """What resteps have made anew since this state."""
    with database.session() as connection:
        return revised_signals(connection, {KEY: state}).by_series[KEY]


def test_the_planner_reads_what_was_made_anew_up_to_its_cursor_once(database: Database, step: Step) -> None:
    stepped_each_ten_minutes(database, step)
    assert read_revised(database, planned(795)) == ()
    revise(database, 785)
    step(end_of(800))
    first = read_revised(database, planned(795))
    assert [(one.bar_ts, one.restep) for one in first] == [(T0 + number * MINUTE, 1) for number in range(785, 796)]
    assert read_revised(database, planned(795, restep=1)) == ()
    revise(database, 790, known_seq=3)
    step(end_of(800))
    second = read_revised(database, planned(795, restep=1))
    assert [(one.bar_ts, one.restep) for one in second] == [(T0 + number * MINUTE, 2) for number in range(790, 796)]
    both = read_revised(database, planned(795))
    assert [one.restep for one in both] == 5 * [1] + 6 * [2]
    assert read_revised(database, planned(795, generation=2)) == ()


@pytest.mark.parametrize(("known_seq", "marked"), [(1, True), (2, False)])
def test_an_intent_that_rests_on_a_revised_bar_is_marked(
    database: Database, step: Step, known_seq: int, marked: bool
) -> None:
    """Unless the cycle that decided it knew of the revision."""
    stepped_each_ten_minutes(database, step)
    with database.session() as connection:
        insert(connection, "cycles", cycle_t=end_of(800), known_seq=known_seq)
        times = {"cycle_t": end_of(800), "source_bar": end_of(799), "expires_at": end_of(805)}
        insert(connection, "intents", position_id=POSITION, **times)
    revise(database, 790)
    step(end_of(800))
    with database.session() as connection:
        found = connection.execute(text("SELECT source_bar, revised_bar, restep FROM revised_intents")).all()
    assert [tuple(row) for row in found] == marked * [(end_of(799), end_of(790), 1)]
