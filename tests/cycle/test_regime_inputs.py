"""What the planner reads of the market: the newest bars that are over, of the newest generation and revision."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from strandline.cycle.regime_inputs import read_regime
from strandline.model.regime import Phase
from strandline.model.signal import Flag
from strandline.pm.inputs import DriverInputs, PhaseInputs, RaisedFlags, RegimeInputs
from strandline.store.roles import Role
from tests.conftest import Database
from tests.cycle.planning_database import PlanningDatabase
from tests.cycle.planning_database import T as CYCLE
from tests.store.rows import insert

T = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
FADE = 6


def signal(*flags: Flag) -> str:
    return json.dumps({"state": "S1", "flags": flags})


def add_bar(database: Database, hours_ago: int, *flags: Flag, **special: Any) -> None:
    """A bar that starts so many hours before T, with a state."""
    row = {"ts": T - hours_ago * HOUR, "bar_count": 1000 - hours_ago, "uptrend_engine_v4": signal(*flags)}
    with database.session() as connection:
        insert(connection, "regime_bars", **(row | special))


def add_series(database: Database, **special: Any) -> None:
    with database.session() as connection:
        insert(connection, "regime_states", **({"generation": 1} | special))


def read(database: Database, cycle: datetime = T) -> RegimeInputs:
    with database.session(Role.APP) as connection:
        return read_regime(connection, cycle, FADE)


def test_nothing_is_known_at_first(database: Database) -> None:
    assert read(database) == RegimeInputs()
    add_series(database)
    assert read(database) == RegimeInputs()


def test_each_series_is_read_as_what_it_is(database: Database) -> None:
    for series, timeframe in (("index", "1h"), ("index", "1d"), ("BTC", "1h")):
        add_series(database, series=series, timeframe=timeframe)
    add_bar(database, 1, Flag.TRIM_FLAG, phase="good", shown_phase="dip", shown_bars=1, revision=3)
    add_bar(database, 36, timeframe="1d", phase="recover")
    add_bar(database, 2, Flag.BUY_SIGNAL, series="BTC")
    add_bar(database, 1, series="BTC", phase="euphoria")
    newest = T - HOUR
    assert read(database) == RegimeInputs(
        meso=PhaseInputs(bar_ts=newest, bar_revision=3, phase=Phase.GOOD, shown=Phase.DIP, shown_bars=1),
        macro=PhaseInputs(bar_ts=T - 36 * HOUR, bar_revision=0, phase=Phase.RECOVER, shown=Phase.GOOD, shown_bars=1),
        index=DriverInputs(
            bar_ts=newest, bar_revision=3, bar_count=999, raised=(RaisedFlags(bar_ts=newest, flags=(Flag.TRIM_FLAG,)),)
        ),
        btc=DriverInputs(
            bar_ts=newest,
            bar_revision=0,
            bar_count=999,
            raised=(RaisedFlags(bar_ts=T - 2 * HOUR, flags=(Flag.BUY_SIGNAL,)),),
        ),
    )


def test_the_newest_bars_are_read_however_many_there_are(database: Database) -> None:
    """Read oldest first and cut off, the regime would be frozen at that of forty hours ago."""
    add_series(database)
    for hours_ago in range(40, 0, -1):
        add_bar(database, hours_ago, Flag.BUY_FLAG, phase="good" if hours_ago == 1 else "dip")
    found = read(database)
    assert found.meso is not None
    assert (found.meso.bar_ts, found.meso.phase) == (T - HOUR, Phase.GOOD)
    assert found.index is not None
    assert [bar.bar_ts for bar in found.index.raised] == [T - hours * HOUR for hours in range(7, 0, -1)]


def test_a_bar_that_is_not_over_at_the_cycle_is_not_read(database: Database) -> None:
    """As when an older cycle is planned again after newer bars came."""
    add_series(database)
    for hours_ago in (3, 2, 1):
        add_bar(database, hours_ago)
    for cycle, newest in ((T, 1), (T - timedelta(minutes=5), 2), (T - HOUR, 2), (T - 65 * timedelta(minutes=1), 3)):
        found = read(database, cycle).meso
        assert found is not None
        assert found.bar_ts == T - newest * HOUR


def test_the_newest_revision_and_the_newest_generation_count(database: Database) -> None:
    add_series(database, generation=2)
    add_bar(database, 1, Flag.BUY_FLAG, generation=1, revision=7, phase="euphoria")
    add_bar(database, 1, Flag.BUY_FLAG, generation=2, phase="dip")
    add_bar(database, 1, generation=2, revision=1, phase="good")
    found = read(database)
    assert found.meso is not None
    assert (found.meso.phase, found.meso.bar_revision) == (Phase.GOOD, 1)
    assert found.index is not None
    assert found.index.raised == ()


def test_a_series_without_a_state_has_no_phase(database: Database) -> None:
    add_series(database)
    add_bar(database, 1, uptrend_engine_v4=None)
    found = read(database)
    assert found.meso is None
    assert found.index == DriverInputs(bar_ts=T - HOUR, bar_revision=0, bar_count=999)


def test_the_plan_reads_it_in_its_snapshot(planning: PlanningDatabase) -> None:
    """And puts it on the strand."""
    planning.add("regime_states", generation=1)
    bar = {"ts": CYCLE - HOUR, "bar_count": 800, "phase": "recover", "shown_phase": "recover", "shown_bars": 2}
    planning.add("regime_bars", uptrend_engine_v4=signal(Flag.BUY_FLAG), **bar)
    assert planning.read().regime.meso is not None
    planning.add_signal()
    planning.plan()
    ((terms, inputs),) = planning.rows("SELECT body::jsonb->'terms', body::jsonb->'inputs' FROM strands")
    assert (terms["meso_a"], terms["index_buy"], terms["drivers_a"]) == (1.0, 1.0, 0.075)
    assert (inputs["meso_phase"], inputs["meso_bar"]) == ("recover", f"{(CYCLE - HOUR).isoformat()} revision 0")
    assert inputs["neutral_terms"] == "macro btc"
