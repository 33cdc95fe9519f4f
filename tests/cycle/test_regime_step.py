"""The market's index and BTC: every bar once, whatever comes late, is revised, repeated or concurrent."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from strandline.cycle.regime_step import RegimeRun, step_regime
from strandline.engine import IndexBar, MemberBar, index_bars
from strandline.model.signal import EngineState
from strandline.model.timeframe import Timeframe
from strandline.pm.phases import IndexView, shown_phase
from strandline.store.roles import Role
from tests.conftest import Database, Server
from tests.cycle.market_database import (
    END,
    HOUR,
    HOURS,
    MEMBERS,
    START,
    add_bars,
    add_market,
    add_members,
    current,
    hours,
    member_bars,
    revise,
    tables,
)
from tests.engine.samples import STRATEGY
from tests.pm.sample_inputs import strategy_with
from tests.store.concurrency import at_once
from tests.store.rows import insert

Step = Callable[..., RegimeRun]
KEPT = 120 + STRATEGY.regime.drawdown_bars


@pytest.fixture
def app(database: Database) -> Engine:
    """A connection as the cycle's role."""
    return database.engine(Role.APP)


@pytest.fixture
def step(app: Engine) -> Step:
    """Run the step of a cycle."""
    return lambda cycle=END, strategy=STRATEGY: step_regime(app, strategy, cycle)


def expected_index(count: int = HOURS) -> list[IndexBar]:
    """The index of all members, computed from their bars."""
    columns = {member: member_bars(member) for member in MEMBERS}
    return list(
        index_bars(
            (
                START + number * HOUR,
                {
                    member: MemberBar(
                        float(bars.open[number]),
                        float(bars.high[number]),
                        float(bars.low[number]),
                        float(bars.close[number]),
                        float(bars.volume[number] * bars.close[number]),
                    )
                    for member, bars in columns.items()
                },
            )
            for number in range(count)
        )
    )


def test_a_history_is_stepped_at_once(database: Database, step: Step) -> None:
    add_market(database)
    # 699 bars of the index, as the first gives only closes, and 700 of BTC; those that are looked back at are kept.
    assert step() == RegimeRun(bars=2 * KEPT, revised=0, begun=3)
    newest, wanted = current(database), expected_index()[-100:]
    assert [tuple(row[name] for name in ("ts", "open", "high", "low", "close", "volume")) for row in newest] == [
        bar[:6] for bar in wanted
    ]
    assert newest[-1]["members"] == dict.fromkeys(MEMBERS, 0)
    assert newest[-1]["bar_count"] == HOURS - 1
    assert newest[-1]["signal"]["bar_count"] == HOURS - 1
    btc, own = current(database, "BTC"), member_bars("BTC")
    assert [row["close"] for row in btc] == own.close[-100:].tolist()
    assert (btc[-1]["volume"], btc[-1]["members"], btc[-1]["bar_count"]) == (10.0, {"BTC": 0}, HOURS)


def test_days_are_a_series_of_their_own(database: Database, step: Step) -> None:
    with database.session() as connection:
        add_members(connection)
        for member in MEMBERS:
            add_bars(connection, member, member_bars(member), until=400, timeframe=Timeframe.D1)
    step(START + timedelta(days=400))
    assert len(current(database, timeframe="1d")) == 100
    assert current(database) == current(database, "BTC") == []


def test_a_repeated_step_changes_nothing(database: Database, step: Step) -> None:
    add_market(database)
    step()
    before = tables(database)
    assert step() == RegimeRun(0, 0, 0)
    assert tables(database) == before


@pytest.mark.parametrize("cuts", [[1, 2, 333, 334, 400, 600, 699, 700], [350, 700], list(range(560, 701, 7))])
def test_steps_of_many_cycles_equal_one_step_of_all(server: Server, template: str, cuts: list[int]) -> None:
    """Split or whole, in one database and in another: also the states, to the byte."""
    split, whole = server.create(template), server.create(template)
    try:
        for database in (split, whole):
            add_market(database)
        app = split.engine(Role.APP)
        for cut in cuts:
            step_regime(app, STRATEGY, hours(cut))
        app.dispose()
        app = whole.engine(Role.APP)
        step_regime(app, STRATEGY, END)
        app.dispose()
        for series in ("index", "BTC"):
            assert current(split, series) == current(whole, series)
    finally:
        server.drop(split)
        server.drop(whole)


def test_bars_that_come_hour_by_hour_are_stepped_one_by_one(database: Database, step: Step) -> None:
    add_market(database, until=690)
    step(hours(690))
    for hour in range(690, 700):
        add_market(database, hour, hour + 1)
        assert step(hours(hour + 1)) == RegimeRun(bars=2, revised=0, begun=0)
    assert [row["close"] for row in current(database)] == [bar.close for bar in expected_index()[-100:]]


def test_only_bars_that_are_over_are_stepped(database: Database, step: Step) -> None:
    add_market(database)
    step(hours(600) - timedelta(microseconds=1))
    assert current(database)[-1]["ts"] == hours(598)
    step(hours(600))
    assert current(database)[-1]["ts"] == hours(599)


def test_an_older_cycle_changes_nothing_of_a_newer_ones(database: Database, step: Step) -> None:
    add_market(database)
    step()
    before = current(database)
    assert step(hours(500)) == RegimeRun(0, 0, 0)
    assert current(database) == before
    with database.session() as connection:
        assert set(connection.scalars(text("SELECT max(bar_ts) FROM regime_states WHERE timeframe = '1h'"))) == {
            hours(699)
        }


def fresh_result(server: Server, template: str, load: Callable[[Database], None]) -> list[Any]:
    """What a step makes of these data when it has seen nothing before."""
    other = server.create(template)
    try:
        load(other)
        app = other.engine(Role.APP)
        step_regime(app, STRATEGY, END)
        app.dispose()
        return current(other)
    finally:
        server.drop(other)


def test_a_revised_bar_is_stepped_again_with_all_after_it(
    database: Database, server: Server, template: str, step: Step
) -> None:
    """As new revisions; the old ones stay. The result is that of a database which never saw the old bar."""
    add_market(database)
    step()
    old = current(database)
    revise(database, "ETH", 680, 9_000.0)
    assert step() == RegimeRun(bars=20, revised=20, begun=0)
    assert step() == RegimeRun(0, 0, 0)
    now = current(database)
    assert now[:-20] == old[:-20]
    assert all(row["close"] != before["close"] for row, before in zip(now[-20:], old[-20:], strict=True))

    def load(other: Database) -> None:
        add_market(other)
        revise(other, "ETH", 680, 9_000.0)

    assert now == fresh_result(server, template, load)
    with database.session() as connection:
        revisions = "SELECT revision, count(*) FROM regime_bars WHERE series = 'index' GROUP BY 1 ORDER BY 1"
        assert [tuple(row) for row in connection.execute(text(revisions))] == [(0, KEPT), (1, 20)]
        signals = connection.scalars(
            text("SELECT (uptrend_engine_v4->>'bar_revision')::int = revision FROM regime_bars WHERE revision > 0")
        )
        assert set(signals) == {True}


def test_a_member_that_comes_late_is_in_the_index_from_its_own_time_on(
    database: Database, server: Server, template: str, step: Step
) -> None:
    others = [member for member in MEMBERS if member != "HYPE"]
    add_market(database, until=698)
    add_market(database, 698, members=others)
    step()
    assert "HYPE" not in current(database)[-1]["members"]
    with database.session() as connection:
        add_bars(connection, "HYPE", member_bars("HYPE"), 698)
    assert step() == RegimeRun(bars=2, revised=2, begun=0)
    assert current(database) == fresh_result(server, template, add_market)


def test_a_bar_that_fills_a_hole_is_stepped_in_its_place(
    database: Database, server: Server, template: str, step: Step
) -> None:
    add_market(database, until=650)
    add_market(database, 651)
    step()
    assert hours(650) not in {row["ts"] for row in current(database)}
    add_market(database, 650, 651)
    # BTC and the index, from the hole on; the bars after it are new revisions.
    assert step() == RegimeRun(bars=100, revised=98, begun=0)
    assert current(database) == fresh_result(server, template, add_market)


@pytest.mark.parametrize("hour", [0, 10, 570])
def test_an_old_change_begins_the_series_anew(
    database: Database, server: Server, template: str, step: Step, hour: int
) -> None:
    """One from before the bars whose states are kept."""
    add_market(database)
    step()
    revise(database, "SOL", hour, 333.0)
    assert step() == RegimeRun(bars=KEPT, revised=0, begun=1)
    assert step() == RegimeRun(0, 0, 0)

    def load(other: Database) -> None:
        add_market(other)
        revise(other, "SOL", hour, 333.0)

    assert current(database) == fresh_result(server, template, load)


def test_history_that_is_loaded_later_begins_the_series_anew(
    database: Database, server: Server, template: str, step: Step
) -> None:
    add_market(database, 300)
    step()
    assert current(database)[-1]["bar_count"] == 399
    add_market(database, until=300)
    assert step() == RegimeRun(bars=2 * KEPT, revised=0, begun=2)
    assert current(database) == fresh_result(server, template, add_market)


def test_a_revision_with_the_same_prices_steps_nothing(database: Database, step: Step) -> None:
    """As when a bar was only marked as repaired."""
    add_market(database)
    step()
    revise(database, "ETH", 690, float(member_bars("ETH").close[690]))
    assert step() == RegimeRun(0, 0, 0)


@pytest.mark.parametrize(
    "strategy", [strategy_with("regime", drawdown_pct=20.0), strategy_with("indicators", slope_bars=9)]
)
def test_other_parameters_begin_the_series_anew(database: Database, step: Step, strategy: Any) -> None:
    add_market(database)
    step()
    assert step(strategy=strategy).begun == 3
    assert step(strategy=strategy) == RegimeRun(0, 0, 0)


@pytest.mark.parametrize("stepped", [None, 690])
def test_concurrent_runs_step_each_bar_once(database: Database, app: Engine, stepped: int | None) -> None:
    add_market(database)
    if stepped:
        step_regime(app, STRATEGY, hours(stepped))
    runs: list[RegimeRun] = []
    assert at_once(lambda: runs.append(step_regime(app, STRATEGY, END)), 4) == []
    assert sorted(run.bars for run in runs) == [0, 0, 0, 2 * (HOURS - stepped if stepped else KEPT)]
    with database.session() as connection:
        assert connection.scalar(text("SELECT max(generation) FROM regime_bars")) == 1


def test_a_step_that_fails_leaves_nothing(
    database: Database, app: Engine, step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_market(database)
    with monkeypatch.context() as patched:
        patched.setattr("strandline.cycle.regime_step.store", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            step()
    assert tables(database) == [[], []]
    assert step().bars == 2 * KEPT


def test_the_gates_findings_and_impossible_bars_are_left_out(
    database: Database, server: Server, template: str, step: Step
) -> None:
    """As if that member had no such bar."""
    withheld, impossible = 690, 695

    def load(other: Database, hype: Iterable[range]) -> None:
        add_market(other, members=[member for member in MEMBERS if member != "HYPE"])
        with other.session() as connection:
            for span in hype:
                bars = member_bars("HYPE")
                bars.high[impossible] = bars.low[impossible] / 2
                add_bars(connection, "HYPE", bars, span.start, span.stop)

    load(database, [range(HOURS)])
    with database.session() as connection:
        insert(connection, "quality_runs", cycle_t=END, suite="bars")
        insert(
            connection, "quality_findings", quality_run_id=1, instrument_id=5, timeframe="1h", ts=hours(withheld),
            severity="block_all",
        )  # fmt: skip
    step()
    spans = [range(withheld), range(withheld + 1, impossible), range(impossible + 1, HOURS)]
    assert current(database) == fresh_result(server, template, lambda other: load(other, spans))
    without = [row["ts"] for row in current(database, newest=12) if "HYPE" not in row["members"]]
    assert without == [hours(hour) for hour in (withheld, withheld + 1, impossible, impossible + 1)]


def test_a_stored_bar_that_the_gate_withholds_later_begins_the_series_anew(database: Database, step: Step) -> None:
    add_market(database)
    step()
    with database.session() as connection:
        insert(connection, "quality_runs", cycle_t=END, suite="bars")
        for number in range(5):
            insert(
                connection, "quality_findings", quality_run_id=1, finding_no=number + 1, instrument_id=number + 1,
                timeframe="1h", ts=hours(699), severity="block_all",
            )  # fmt: skip
    revise(database, "BTC", 699, 1.0)
    step()
    assert current(database)[-1]["ts"] == hours(698)
    assert current(database, "BTC")[-1]["ts"] == hours(698)


def test_one_unknown_volume_makes_that_of_the_index_unknown(database: Database, step: Step) -> None:
    """As of polled prices; the engine counts its terms as unknown."""
    add_market(database)
    with database.session() as connection:
        connection.execute(text("UPDATE bars SET revision = 1, known_seq = 9, volume = NULL WHERE instrument_id = 3"))
    step()
    newest = current(database)[-1]
    assert newest["volume"] is None
    assert newest["signal"]["unknown_terms"] == ["edx_volume", "dx_volume"]


def test_the_work_does_not_grow_with_history(database: Database, step: Step, app: Engine) -> None:
    """A new hour reads the bars since the one before it, of five members."""
    add_market(database, until=699)
    step(hours(699))
    add_market(database, 699)
    fetched: list[int] = []

    def count(_: Any, cursor: Any, statement: str, *__: Any) -> None:
        if "WITH withheld" in statement:
            fetched.append(cursor.rowcount)

    event.listen(app, "after_cursor_execute", count)
    step()
    assert sorted(fetched) == [2, 10]


def test_phases_are_confirmed_by_two_bars(database: Database, step: Step) -> None:
    add_market(database)
    step()
    rows = current(database, newest=KEPT)
    for before, row in pairwise(rows):
        shown = row["shown_phase"]
        assert row["shown_bars"] == (before["shown_bars"] + 1 if shown == before["shown_phase"] else 1)
        assert row["phase"] == (shown if row["shown_bars"] >= 2 else before["phase"])
    assert len({row["phase"] for row in rows if row["phase"] != "neutral"}) >= 2


@pytest.mark.parametrize(("lows", "highs"), [(60, 250), (5, 40), (40, 5)])
def test_each_bar_shows_what_the_signal_and_the_bars_before_it_say(
    database: Database, step: Step, lows: int, highs: int
) -> None:
    """Computed again: the lowest of so many lows, the distance from the highest of so many highs."""
    add_market(database)
    strategy = strategy_with("regime", double_dip_bars=lows, drawdown_bars=highs)
    step(strategy=strategy)
    rows = current(database, newest=KEPT)
    window, found = max(lows, highs), set()
    for place in range(len(rows) - 100, len(rows)):
        row, signal = rows[place], rows[place]["signal"]
        assert len(rows[:place]) >= window - 1
        view = IndexView(
            state=EngineState(signal["state"]),
            overextension=signal["scores"]["ox"],
            rsi=signal["indicators"]["rsi"],
            at_low=all(row["low"] <= before["low"] for before in rows[place - lows + 1 : place]),
            drawdown=1 - row["close"] / max(before["high"] for before in rows[place - highs + 1 : place + 1]),
        )
        assert (row["at_low"], row["drawdown"]) == (view.at_low, view.drawdown)
        assert row["shown_phase"] == shown_phase(view, strategy.regime)
        found.add(row["shown_phase"])
    assert len(found) >= 2
