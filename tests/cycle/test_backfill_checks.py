"""After a load: its days are checked, and every series is stepped, whatever the order of the days."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from psycopg2.extensions import set_wait_callback
from sqlalchemy import text

from strandline.configuration import load_settings
from strandline.cycle.backfill_checks import checked_until
from strandline.cycle.backfill_task import check_quality, load_history, run_engine
from strandline.cycle.context import Context
from strandline.cycle.cycle_time import last_complete_cycle
from strandline.model.errors import StrandlineError
from strandline.store.roles import Role
from strandline.strategy import load_strategy
from tests.conftest import Database, Server
from tests.cycle.test_backfill_task import DAY, ONE, dag_run, form
from tests.history.archives import HOUR, Trade, write_trades
from tests.history.loading import contents, register, rows
from tests.settings.isolation import isolate
from tests.store.concurrency import at_once
from tests.store.rows import insert

pytestmark = pytest.mark.slow
ENGINE = {
    "states": "SELECT instrument_id, timeframe, bar_count, ready, bar_ts, bar_revision, anchor, state,"
    " md5(state_bytes) FROM engine_states WHERE adopted ORDER BY 1, 2",
    "signals": "SELECT f.instrument_id, f.timeframe, f.ts, f.input_hash, f.uptrend_engine_v4 - 'generation'"
    " FROM features f JOIN engine_states s USING (instrument_id, timeframe, generation) WHERE adopted ORDER BY 1, 2, 3",
}
"""Which generation it is depends on the order; what is in it does not."""

ORDERS: Mapping[str, Sequence[int]] = {"forward": (0, 1, 2), "backwards": (2, 1, 0), "again": (1, 0, 1, 2, 0)}


@pytest.fixture(autouse=True)
def isolated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No settings but the test's own; and threads that end in any order leave the process's way of waiting behind."""
    isolate(monkeypatch, tmp_path)
    yield
    set_wait_callback(None)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Three days, with a trade every ten minutes: only all of them together are bars enough for signals."""
    moments = [DAY + number * timedelta(minutes=10) for number in range(3 * 144 + 1)]
    prices = [f"{100 + number % 17 + number / 50:.2f}" for number in range(len(moments))]
    by_hour: dict[datetime, list[Trade]] = {}
    for number, (ts, price) in enumerate(zip(moments, prices, strict=True)):
        by_hour.setdefault(ts.replace(minute=0), []).append(Trade(ts, number, px=price))
    write_trades(tmp_path / "archive", "node_fills", by_hour)
    return tmp_path / "archive"


def use(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the tasks find the database, in which BTC is traded on bars of five minutes."""
    monkeypatch.setenv("STRANDLINE_DATABASE_URL", database.url.render_as_string(hide_password=False))
    register(database)
    with database.session() as session:
        insert(session, "positions", timeframe="5m")


def load_days(archive: Path, days: Sequence[int]) -> list[dict[str, Any]]:
    """Run the DAG's tasks for these days, one after the other; returns what was said."""
    asked = form(source="archive", path=str(archive), symbols=["BTC"])
    done = []
    for day in days:
        loaded = load_history(dag_run(interval=(DAY + day * ONE, DAY + (day + 1) * ONE)), asked)
        done.append({"loaded": loaded, "checked": check_quality(loaded), "stepped": run_engine()})
    return done


def test_days_in_any_order_end_in_the_same_states_and_signals(
    server: Server, template: str, monkeypatch: pytest.MonkeyPatch, archive: Path
) -> None:
    ways: dict[str, Callable[[], object]] = {name: partial(load_days, archive, order) for name, order in ORDERS.items()}
    ways["three at once"] = partial(at_once, partial(load_days, archive, (2, 1, 0)), 3)
    found = {}
    for name, way in ways.items():
        database = server.create(template)
        try:
            use(database, monkeypatch)
            way()
            engine = {table: rows(database, query) for table, query in ENGINE.items()}
            found[name] = contents(database) | engine
            ((_, _, bars, *_),) = engine["states"]
            assert bars == 3 * 144
            assert len(engine["signals"]) > 50
        finally:
            server.drop(database)
    assert {name: tables == found["forward"] for name, tables in found.items()} == dict.fromkeys(found, True)


def test_it_says_what_was_checked_and_stepped(
    database: Database, monkeypatch: pytest.MonkeyPatch, archive: Path
) -> None:
    use(database, monkeypatch)
    (done,) = load_days(archive, [1])
    assert done["loaded"]["said"][0] == "hyperliquid/perps, archive: BTC"
    assert done["checked"]["said"] == ["1 days checked, 0 findings"]
    assert done["stepped"]["said"][0].startswith("1 series stepped through 144 new bars to ")
    assert rows(database, "SELECT suite, cycle_t, succeeded FROM quality_runs") == [("history", DAY + 2 * ONE, True)]


def test_a_bad_bar_of_a_loaded_day_is_told_and_not_stepped(
    database: Database, monkeypatch: pytest.MonkeyPatch, archive: Path
) -> None:
    """And one of a day that was not loaded is not looked at."""
    use(database, monkeypatch)
    asked = form(source="archive", path=str(archive), symbols=["BTC"])
    loaded = load_history(dag_run(), asked)
    spoil(database, DAY + 3 * HOUR)
    with database.session() as session:
        insert(session, "bars", timeframe="1h", ts=DAY + 24 * HOUR, volume=-1.0)
    checked = check_quality(loaded)
    assert checked["said"] == [
        "1 days checked, 1 findings",
        "1 bad_bar_volume (block_all): BTC 5m 2025-08-02T03:00Z",
    ]
    assert run_engine()["bars"] == 143


def spoil(database: Database, ts: datetime) -> None:
    """Make a revision of the bar whose volume is below zero."""
    with database.session() as session:
        session.execute(
            text("UPDATE bars SET volume = -1, revision = revision + 1, known_seq = known_seq + 1 "
                 "WHERE ts = :ts AND timeframe = '5m'"), {"ts": ts}
        )  # fmt: skip


def test_no_series_is_stepped_past_what_the_gate_has_checked(database: Database) -> None:
    """The live cycle checks its bars before anybody steps them; where none was ever checked, none is running."""
    settings = load_settings()
    now = datetime(2026, 5, 1, 12, 7, tzinfo=UTC)
    engine = database.engine(Role.APP)
    context = Context(settings, load_strategy(settings), engine, lambda: now, "test")
    try:
        assert checked_until(context) == last_complete_cycle(now)
        with database.session() as session:
            for minutes, special in (
                (-5, {"suite": "bars"}), (0, {"suite": "ticks"}), (5, {"suite": "bars"}),
                (0, {"suite": "bars", "succeeded": False, "error": "x"}), (-1, {"suite": "history"}),
            ):  # fmt: skip
                insert(session, "quality_runs", cycle_t=last_complete_cycle(now) + minutes * HOUR / 60, **special)
        assert checked_until(context) == last_complete_cycle(now) - 5 * HOUR / 60
    finally:
        engine.dispose()


def test_a_check_that_cannot_be_made_fails_the_task(
    database: Database, monkeypatch: pytest.MonkeyPatch, archive: Path
) -> None:
    use(database, monkeypatch)
    asked = form(source="archive", path=str(archive), symbols=["BTC"])
    loaded = load_history(dag_run(), asked)
    with database.session() as session:
        session.execute(text("ALTER TABLE venue_candles RENAME TO gone"))
    with pytest.raises(StrandlineError, match=r"the check could not be made of 2025-08-02: .*venue_candles"):
        check_quality(loaded)
