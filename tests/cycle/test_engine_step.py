"""The engine's step of the cycle steps every final bar once, also when it is repeated, concurrent or interrupted."""

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from threading import Thread
from typing import Any

import msgspec
import numpy as np
import pytest
from sqlalchemy import Connection, Engine, event, text

from strandline.cycle import engine_step
from strandline.cycle.engine_step import EngineRun, run_engine
from strandline.cycle.signals import signals_since
from strandline.engine import Bars, Series, as_bars, gap_number
from strandline.model.bar import GapType
from strandline.model.signal import Signal
from strandline.model.timeframe import Timeframe
from strandline.store.roles import Role
from tests.conftest import Database
from tests.engine import samples
from tests.engine.samples import ENGINE, STRATEGY
from tests.store.concurrency import at_once, waiting_sessions
from tests.store.rows import OTHER_POSITION, POSITION, insert

T0 = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BARS = samples.bars_of_closes(samples.random_bars(4, 900).close, first=int(T0.timestamp()) * 1_000_000)
KEY = (1, Timeframe.M1)
END = T0 + 900 * MINUTE


def instant(ts: int) -> datetime:
    return datetime.fromtimestamp(ts // 1_000_000, UTC)


def end_of(count: int) -> datetime:
    """The end of this many bars."""
    return T0 + count * MINUTE


def add_row(connection: Connection, **special: object) -> None:
    """Insert an instrument and its row."""
    insert(connection, "instruments")
    insert(connection, "positions", timeframe="1m", **special)


def insert_bars(connection: Connection, bars: Bars, known_seq: int = 1) -> None:
    """Insert bars of one minute."""
    columns = {name: column.tolist() for name, column in bars._asdict().items()}
    connection.execute(
        text("""
        INSERT INTO bars
          (instrument_id, timeframe, ts, revision, known_seq, open, high, low, close, volume, ticks, source)
        SELECT 1, '1m', ts, 0, :known_seq, open, high, low, close, volume, 1, 's' FROM unnest(
          CAST(:ts AS timestamptz[]), CAST(:open AS double precision[]), CAST(:high AS double precision[]),
          CAST(:low AS double precision[]), CAST(:close AS double precision[]), CAST(:volume AS double precision[])
        ) AS bar (ts, open, high, low, close, volume)
        """),
        columns | {"ts": [instant(ts) for ts in columns["ts"]], "known_seq": known_seq},
    )


def withhold(connection: Connection, *starts: datetime, severity: str = "block_all", cycle: datetime = END) -> None:
    """Insert a run of the quality gate with findings about these bars."""
    run_id = insert_gate_run(connection, cycle)
    for number, ts in enumerate(starts, 1):
        insert(
            connection,
            "quality_findings",
            quality_run_id=run_id,
            finding_no=number,
            instrument_id=1,
            timeframe="1m",
            ts=ts,
            severity=severity,
        )


def insert_gate_run(connection: Connection, cycle: datetime, **special: object) -> Any:
    """Insert a run of the quality gate without findings."""
    insert(connection, "quality_runs", cycle_t=cycle, **special)
    return connection.scalar(text("SELECT max(quality_run_id) FROM quality_runs"))


def tables(database: Database) -> list[Any]:
    """The tables that the step writes."""
    with database.session() as connection:
        return [
            connection.execute(text(f"SELECT * FROM {table} ORDER BY 1, 2, 3")).all()
            for table in ("engine_states", "features")
        ]


def stored(database: Database) -> tuple[Signal, ...]:
    """Every signal of the series."""
    with database.session() as connection:
        return signals_since(connection, {KEY: T0 - MINUTE}, END).by_series[KEY]


def expected(bars: Bars, newest: int) -> Sequence[Signal]:
    """The signals that the engine computes from these bars."""
    return ENGINE.signals(ENGINE.run(ENGINE.new_state(), bars, newest)[1], [Series(1, Timeframe.M1, 1)])


@pytest.fixture
def app(database: Database) -> Engine:
    """A connection as the cycle's role."""
    return database.engine(Role.APP)


@pytest.fixture
def step(app: Engine) -> Callable[[datetime], EngineRun]:
    """Run the step of a cycle."""
    return lambda cycle: run_engine(app, STRATEGY, cycle)


Step = Callable[[datetime], EngineRun]


def test_a_long_history_is_stepped_in_one_run(database: Database, step: Step) -> None:
    with database.session() as connection:
        add_row(connection)
        insert_bars(connection, BARS)
    assert step(END) == EngineRun(series=1, bars=900, signals=120, ready=1)
    assert stored(database) == tuple(expected(BARS, 120))


def test_a_repeated_step_changes_nothing(database: Database, step: Step) -> None:
    with database.session() as connection:
        add_row(connection)
        insert_bars(connection, BARS)
    step(END)
    before = tables(database)
    assert step(END) == EngineRun(series=1, bars=0, signals=0, ready=1)
    assert tables(database) == before


def test_history_that_arrives_late_starts_a_new_generation(database: Database, step: Step) -> None:
    with database.session() as connection:
        add_row(connection)
        insert_bars(connection, samples.bars_between(BARS, 700, 720))
    assert step(end_of(720)).ready == 0
    with database.session() as connection:
        insert_bars(connection, samples.bars_between(BARS, 0, 700))
        insert_bars(connection, samples.bars_between(BARS, 720, 900))
    assert step(END) == EngineRun(series=1, bars=900, signals=120, ready=1)
    assert [signal.flags for signal in stored(database)] == [signal.flags for signal in expected(BARS, 120)]
    with database.session() as connection:
        generations = connection.execute(text("SELECT generation, adopted, anchor FROM engine_states ORDER BY 1")).all()
    assert [tuple(one) for one in generations] == [(1, False, end_of(700)), (2, True, T0)]


def ready_series_with_late_history(database: Database, step: Step) -> None:
    """A series that is ready after 700 bars, of which a hundred earlier ones come later, and fifty newer ones."""
    with database.session() as connection:
        add_row(connection, position_id=POSITION)
        insert_bars(connection, samples.bars_between(BARS, 100, 800))
    assert step(end_of(800)).ready == 1
    with database.session() as connection:
        insert_bars(connection, samples.bars_between(BARS, 0, 100))
        insert_bars(connection, samples.bars_between(BARS, 800, 850))


def generations(database: Database) -> list[tuple[int, bool]]:
    """Every generation, and whether it is adopted."""
    with database.session() as connection:
        rows = connection.execute(text("SELECT generation, adopted FROM engine_states ORDER BY 1"))
        return [(row.generation, row.adopted) for row in rows]


def test_late_history_of_a_flat_row_makes_a_generation_that_is_adopted(database: Database, step: Step) -> None:
    ready_series_with_late_history(database, step)
    assert step(end_of(850)) == EngineRun(series=1, bars=50 + 850, signals=50 + 120, ready=1)
    assert generations(database) == [(1, False), (2, True)]
    assert [signal.bar_count for signal in stored(database)][-1] == 850
    assert step(end_of(850)) == EngineRun(series=1, bars=0, signals=0, ready=1)


def test_a_generation_has_the_newest_signals_though_the_planner_has_read_them(database: Database, step: Step) -> None:
    ready_series_with_late_history(database, step)
    with database.session() as connection:
        insert(connection, "planner_state", position_id=POSITION, bar_ts=end_of(850) - MINUTE)
    assert step(end_of(850)).signals == 50 + 120
    assert len([signal for signal in stored(database) if signal.generation == 2]) == 120


@pytest.mark.parametrize("kept_by", ["holdings", "intents"])
def test_a_generation_waits_until_the_row_is_flat(database: Database, step: Step, kept_by: str) -> None:
    """A holding, or a buy that may become one: until then the old generation goes on, beside the new one."""
    ready_series_with_late_history(database, step)
    with database.session() as connection:
        if kept_by == "holdings":
            insert(connection, "holdings", position_id=POSITION, quantity=1)
        else:
            insert(connection, "cycles")
            insert(connection, "intents", position_id=POSITION, status="planned")
    assert step(end_of(850)).bars == 50 + 850
    assert generations(database) == [(1, True), (2, False)]
    assert [signal.bar_count for signal in stored(database)][-1] == 750
    with database.session() as connection:
        insert_bars(connection, samples.bars_between(BARS, 850, 900))
    assert step(END).bars == 2 * 50
    assert generations(database) == [(1, True), (2, False)]
    with database.session() as connection:
        connection.execute(
            text("UPDATE holdings SET quantity = 0, average_entry = NULL")
            if kept_by == "holdings"
            else text("UPDATE intents SET status = 'skipped', status_reason = 'why'")
        )
    assert step(END).bars == 0
    assert generations(database) == [(1, False), (2, True)]
    assert stored(database)[-1] == msgspec.structs.replace(expected(BARS, 1)[0], generation=2)


def test_a_withheld_first_bar_makes_no_further_generation(database: Database, step: Step) -> None:
    with database.session() as connection:
        add_row(connection)
        insert_bars(connection, BARS)
        withhold(connection, T0)
    assert step(END).bars == 899
    assert step(END).bars == 0
    assert generations(database) == [(1, True)]


def test_a_state_of_another_engine_version_begins_anew_even_while_holding(database: Database, step: Step) -> None:
    with database.session() as connection:
        add_row(connection, position_id=POSITION)
        insert_bars(connection, BARS)
        insert(connection, "holdings", position_id=POSITION, quantity=1)
    step(end_of(890))
    with database.session() as connection:
        connection.execute(text("UPDATE engine_states SET state_bytes = 'of another version'"))
    assert step(END) == EngineRun(series=1, bars=900, signals=120, ready=1)
    assert generations(database) == [(1, False), (2, True)]


def test_what_the_planner_has_not_read_is_stored_however_long_the_engine_did_not_run(
    database: Database, step: Step
) -> None:
    with database.session() as connection:
        add_row(connection, position_id=POSITION)
        insert_bars(connection, BARS)
        insert(connection, "planner_state", position_id=POSITION, bar_ts=end_of(700) - MINUTE)
    assert step(END).signals == 200
    assert stored(database) == tuple(expected(BARS, 200))


def test_a_long_backlog_is_stepped_in_rounds(database: Database, step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_step, "_ROUND_BARS", 64)
    with database.session() as connection:
        add_row(connection, position_id=POSITION)
        insert_bars(connection, BARS)
        insert(connection, "planner_state", position_id=POSITION, bar_ts=end_of(700) - MINUTE)
    assert step(END).bars == 900
    assert stored(database)[-200:] == tuple(expected(BARS, 200))
    assert step(END) == EngineRun(series=1, bars=0, signals=0, ready=1)


def test_steps_of_each_cycle_equal_one_step_of_all(database: Database, step: Step) -> None:
    with database.session() as connection:
        add_row(connection)
        insert_bars(connection, BARS)
    cuts = [0, 1, 332, 333, 667, 700, 890, 900]
    assert [step(end_of(cut)).bars for cut in cuts] == [0, *(b - a for a, b in pairwise(cuts))]
    assert stored(database)[-10:] == tuple(expected(BARS, 10))


def test_only_final_bars_are_stepped(database: Database, step: Step) -> None:
    with database.session() as connection:
        add_row(connection)
        insert_bars(connection, BARS)
    assert step(end_of(400) - timedelta(microseconds=1)).bars == 399
    assert step(end_of(400)).bars == 1


def test_concurrent_runs_step_each_bar_once(database: Database, app: Engine) -> None:
    with database.session() as connection:
        add_row(connection)
        insert(connection, "positions", position_id=OTHER_POSITION, timeframe="5m")
        insert_bars(connection, BARS)
    runs: list[EngineRun] = []
    assert at_once(lambda: runs.append(run_engine(app, STRATEGY, END)), 4) == []
    assert sorted(run.bars for run in runs) == [0, 0, 0, 900]
    assert {run.series for run in runs} == {2}
    assert stored(database) == tuple(expected(BARS, 120))


def test_a_run_waits_for_the_one_that_steps_the_same_series(database: Database, step: Step, app: Engine) -> None:
    """The second starts after the first has read its bars."""
    with database.session() as connection:
        add_row(connection)
        insert_bars(connection, BARS)
    step(end_of(850))
    runs: list[EngineRun] = []
    second = Thread(target=lambda: runs.append(run_engine(app, STRATEGY, END)))

    def start_second(_: Any, __: Any, statement: str, *___: Any) -> None:
        if "WITH last_runs" in statement and second.ident is None:
            second.start()
            while second.is_alive() and not waiting_sessions(database):
                second.join(0.01)

    event.listen(app, "after_cursor_execute", start_second)
    assert step(END).bars == 50
    second.join(60)
    assert runs == [EngineRun(series=1, bars=0, signals=0, ready=1)]


def test_a_withheld_bar_is_left_out(database: Database, step: Step) -> None:
    with database.session() as connection:
        add_row(connection)
        insert_bars(connection, BARS)
        withhold(connection, end_of(850), end_of(852))
        withhold(connection, end_of(700), severity="block_entries", cycle=end_of(895))
    assert step(END).bars == 898
    kept = [samples.bars_between(BARS, *span) for span in ((0, 850), (851, 852), (853, 900))]
    assert stored(database) == tuple(expected(samples.concatenated(*kept), 120))


@pytest.mark.parametrize(
    ("special", "withheld"), [({}, 0), ({"suite": "ticks"}, 1), ({"succeeded": False, "error": "it broke"}, 1)]
)
def test_a_newer_run_of_the_same_suite_replaces_what_was_found(
    database: Database, step: Step, special: dict[str, object], withheld: int
) -> None:
    with database.session() as connection:
        add_row(connection)
        insert_bars(connection, BARS)
        withhold(connection, end_of(850))
        insert_gate_run(connection, END, **special)
    assert step(END).bars == 900 - withheld


def test_findings_of_later_cycles_do_not_count(database: Database, step: Step) -> None:
    with database.session() as connection:
        add_row(connection)
        insert_bars(connection, BARS)
        withhold(connection, end_of(500), cycle=END)
    assert step(end_of(600)).bars == 600


def test_archived_rows_are_not_stepped(database: Database, step: Step) -> None:
    with database.session() as connection:
        add_row(connection, desired_status="archived")
        insert_bars(connection, BARS)
    assert step(END) == EngineRun(series=0, bars=0, signals=0, ready=0)
    assert tables(database) == [[], []]


IMPOSSIBLE = {
    "an infinite price": {"close": math.inf, "high": math.inf},
    "a price that is no number": {"open": math.nan},
    "a price of zero": {"low": 0.0},
    "a close above the high": {"close": 1e6},
    "an open under the low": {"open": 1e-6},
    "a negative volume": {"volume": -1.0},
    "an infinite volume": {"volume": math.inf},
    "a volume that is no number": {"volume": math.nan},
}


@pytest.mark.parametrize("fault", IMPOSSIBLE)
def test_an_impossible_bar_that_the_gate_has_not_seen_is_left_out(database: Database, step: Step, fault: str) -> None:
    with database.session() as connection:
        add_row(connection)
        insert_bars(connection, samples.bars_between(BARS, 0, 400))
        changes = ", ".join(f"{column} = :{column}" for column in IMPOSSIBLE[fault])
        connection.execute(
            text(f"UPDATE bars SET {changes}, revision = 1, known_seq = 2 WHERE ts = :ts"),
            {**IMPOSSIBLE[fault], "ts": end_of(398)},
        )
    assert step(end_of(400)).bars == 399
    assert [signal.bar_ts for signal in stored(database)][-2:] == [end_of(397), end_of(399)]


def test_bars_without_volume_are_counted(database: Database, step: Step) -> None:
    polled = BARS._replace(volume=BARS.volume * float("nan"))
    with database.session() as connection:
        add_row(connection)
        insert_bars(connection, polled)
        connection.execute(text("UPDATE bars SET revision = 1, known_seq = 2, volume = NULL"))
    step(END)
    assert {signal.unknown_terms for signal in stored(database)} == {("edx_volume", "dx_volume")}
    assert {signal.bar_revision for signal in stored(database)} == {1}


def test_signals_since_returns_the_signals_after_a_bar(database: Database, step: Step) -> None:
    with database.session() as connection:
        add_row(connection)
        insert_bars(connection, BARS)
    step(END)
    every = stored(database)
    nothing = (9, Timeframe.H1)
    with database.session() as connection:
        newest = signals_since(connection, {KEY: None, nothing: None}, END)
        some = signals_since(connection, {KEY: every[-4].bar_ts}, end_of(899))
        connection.execute(text("UPDATE engine_states SET adopted = false"))
        of_none = signals_since(connection, {KEY: None}, END)
    assert newest.by_series == {KEY: every[-1:], nothing: ()}
    assert some.by_series == {KEY: every[-3:-1]}
    assert of_none.by_series == {KEY: ()}


def test_session_gaps_reach_the_engine(database: Database, step: Step) -> None:
    with database.session() as connection:
        add_row(connection)
        insert_bars(connection, BARS)
        connection.execute(
            text("""
            UPDATE bars SET revision = 1, known_seq = 2, gap_detected = true, gap_type = 'weekend',
                            gap_magnitude_pct = -1.5
            WHERE ts >= :ts
            """),
            {"ts": end_of(800)},
        )
    step(END)
    late = np.arange(900) >= 800
    gap, magnitude = np.where(late, gap_number(GapType.WEEKEND), 0), np.where(late, -1.5, 0.0)
    bars = as_bars(BARS.ts, late, *BARS[2:7], gap, magnitude, BARS.full_range)
    assert stored(database) == tuple(expected(bars, 120))
    assert {signal.gap_type for signal in stored(database)[-99:]} == {GapType.WEEKEND}


def test_a_series_that_another_run_holds_is_read_after_it_is_done(database: Database, app: Engine, step: Step) -> None:
    """If it were read before, its bars would be stepped from an outdated state."""
    with database.session() as connection:
        add_row(connection)
        insert_bars(connection, BARS)
    step(end_of(400))
    runs: list[EngineRun] = []
    second = Thread(target=lambda: runs.append(step(END)))
    with app.begin() as other:
        other.execute(text("UPDATE engine_states SET bar_ts = :newest"), {"newest": end_of(899)})
        second.start()
        while second.is_alive() and not waiting_sessions(database):
            second.join(0.01)
    second.join(60)
    assert [run.bars for run in runs] == [0]
