"""A venue is one folder and one line: no other file names Bazaar, and every part works with it."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from strandline.bars import roll_up
from strandline.cli.configuration_docs import render, render_example
from strandline.cli.demo.seed import recorded
from strandline.cli.doctor.trading import settings as trading_checks
from strandline.cli.ingest import _venue_clients
from strandline.configuration import load_settings, make_settings, settings_schema
from strandline.controls.positions import insert_positions
from strandline.cycle.audit import EXECUTE, audit
from strandline.cycle.context import Context
from strandline.cycle.cycle_time import CYCLE_LENGTH
from strandline.cycle.engine_step import run_engine
from strandline.cycle.observe import observe
from strandline.cycle.planning import plan_cycle
from strandline.cycle.preload import preload
from strandline.cycle.runs import Summary, TaskRun
from strandline.cycle.venues import choose, execute
from strandline.feeds.instruments import listed_instruments, upsert_instruments
from strandline.feeds.watch_set import always_watched
from strandline.history.prices import load_prices
from strandline.model.errors import ConfigurationError
from strandline.model.exact import Ratio
from strandline.model.position import PositionKey
from strandline.model.timeframe import Timeframe
from strandline.model.venue import VenueKey
from strandline.quality import check, check_signals
from strandline.settings import Mode
from strandline.store.connect_async import connect_async
from strandline.store.roles import Role
from strandline.strategy import load_strategy
from strandline.venues.factory import ExecutorFactory
from strandline.venues.feed import QuarantinedMessage, TickRow
from strandline.venues.packed_ticks import PackedTicks
from tests.conftest import Database
from tests.example_venue.bazaar.key import BAZAAR_SPOT
from tests.example_venue.bazaar.prices import MARKET, SCENARIO_START, TOKENS, price
from tests.settings.isolation import isolate

ROOT = Path(__file__).parents[2]
CYCLES = 6


class RecordingSink:
    """A sink that keeps everything."""

    def __init__(self) -> None:
        self.rows: list[TickRow] = []

    def add_ticks(self, venue: VenueKey, rows: Sequence[TickRow]) -> None:
        assert venue == BAZAAR_SPOT
        self.rows += rows

    def add_packed(self, venue: VenueKey, ticks: PackedTicks) -> None:
        raise AssertionError((venue, ticks))

    def quarantine(self, message: QuarantinedMessage) -> None:
        raise AssertionError(message)


def test_no_other_file_names_it() -> None:
    files = [path for folder in ("include", "dags", "plugins") for path in (ROOT / folder).rglob("*")]
    texts = [path for path in files if path.suffix in {".py", ".toml", ".html", ".sql"}]
    assert len(texts) > 200
    assert [path for path in texts if "bazaar" in path.read_text(encoding="utf-8").lower()] == []


def test_the_page_names_each_of_its_files() -> None:
    page = (ROOT / "docs" / "adding-a-venue.md").read_text(encoding="utf-8")
    files = {path.name for path in (ROOT / "tests" / "example_venue" / "bazaar").glob("*.py")}
    assert {line.split("`")[1] for line in page.splitlines() if line.startswith("| `")} == files


def test_its_settings_are_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings_dir = isolate(monkeypatch, tmp_path)
    names = {setting.variable for setting in settings_schema().settings}
    own = {f"STRANDLINE_BAZAAR_{name}" for name in ("ENABLED", "INITIAL_VALUE", "URL", "KEY")}
    assert own <= names
    for page in (render(), render_example()):
        assert [name for name in own if name not in page] == []
    prose = " ".join(render().split())
    assert "`testnet` has no Bazaar, because Bazaar has no test network;" in prose
    assert "| Bazaar | `bazaar/spot` | for cash | no | none | up to 50 |" in prose
    monkeypatch.setenv("STRANDLINE_MODE", "live")
    monkeypatch.setenv("STRANDLINE_BAZAAR_ENABLED", "on")
    settings = load_settings()
    assert settings.enabled_keys == (BAZAAR_SPOT,)
    assert settings.missing_keys == ("bazaar_key",)
    found = [str(check) for check in trading_checks(settings)]
    assert any("bazaar" in line for line in found)
    assert any("STRANDLINE_BAZAAR_KEY not here" in line for line in found)
    (settings_dir.secrets / "strandline_bazaar_key").write_text("shh")
    assert load_settings().missing_keys == ()
    monkeypatch.setenv("STRANDLINE_BAZAAR_URL", "http://127.0.0.1:1")
    with pytest.raises(ConfigurationError, match="STRANDLINE_BAZAAR_URL is on this machine"):
        load_settings()


def test_the_sidecar_streams_it() -> None:
    assert always_watched(BAZAAR_SPOT) == {"JUP"}
    ticks = RecordingSink()
    feeds, histories = _venue_clients(make_settings(mode=Mode.PAPER), ticks, lambda: SCENARIO_START)
    (feed,) = (feed for feed in feeds if feed.venue == BAZAAR_SPOT)
    assert BAZAAR_SPOT not in {history.venue for history in histories}

    async def stream() -> None:
        feed.subscribe({"JUP": 7})
        run = asyncio.create_task(feed.run())
        while not feed.status.connected:
            await asyncio.sleep(0)
        run.cancel()

    asyncio.run(stream())
    assert [(row[1], row[3]) for row in ticks.rows] == [(7, float(price("JUP", SCENARIO_START)))]


def test_the_testnet_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="STRANDLINE_BAZAAR_ENABLED is on, but STRANDLINE_MODE is testnet"):
        make_settings(mode=Mode.TESTNET, bazaar_enabled=True)


@pytest.mark.slow
def test_the_dag_has_a_task_and_a_pool_for_it(tmp_path: Path) -> None:
    code = (
        "import runpy, sys; from strandline.venues import registry; from tests.example_venue.bazaar import BAZAAR; "
        "registry.VENUES.append(BAZAAR); sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    described = subprocess.run(
        [sys.executable, "-c", code, ROOT / "tests" / "dags" / "describe.py", ROOT / "dags"],
        env=os.environ
        | {
            "AIRFLOW_HOME": str(tmp_path),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/never-made.db",
            "PYTHONPATH": str(ROOT),
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert described.returncode == 0, described.stderr[-3000:]
    task = json.loads(described.stdout.splitlines()[-1])["trading_cycle"]["tasks"]["execute__bazaar__spot"]
    assert (task["pool"], task["queue"]) == ("bazaar__spot", "bazaar__spot")


class PaperTrading:
    """Paper trading at Bazaar alone, on a real database, with a clock that is set for each cycle."""

    def __init__(self, database: Database) -> None:
        self.now = SCENARIO_START
        self.database = database
        settings = make_settings(
            mode=Mode.PAPER, hyperliquid_enabled=False, solana_enabled=False, initial_portfolio_value=6000
        )
        self.context = Context(settings, load_strategy(settings), database.engine(Role.APP), lambda: self.now, "test")
        self.ingest = database.engine(Role.INGEST)
        self.instruments = asyncio.run(self._register())
        for token, number in self.instruments.items():
            load_prices(self.ingest, number, recorded(MARKET, token, set(), SCENARIO_START))
        with self.context.database.begin() as connection:
            keys = [PositionKey(venue=BAZAAR_SPOT, token_contract=token, timeframe=Timeframe.M1) for token in TOKENS]
            insert_positions(connection, [(key, Ratio(1)) for key in keys])

    def close(self) -> None:
        self.context.database.dispose()
        self.ingest.dispose()

    def cycle(self, cycle: datetime) -> dict[str, Summary]:
        """Run every step of a cycle, a few seconds after its end."""
        self.now = cycle + timedelta(seconds=3)
        for token, number in self.instruments.items():
            times = [cycle - CYCLE_LENGTH + timedelta(seconds=seconds) for seconds in range(2, 300, 15)]
            load_prices(self.ingest, number, [(at, float(price(token, at))) for at in times if at > SCENARIO_START])
        run = TaskRun(
            cycle=cycle,
            run_id=f"scheduled__{cycle.isoformat()}",
            dag_id="trading_cycle",
            run_type="scheduled",
            task_id="task",
            try_number=1,
        )
        summary: dict[str, Summary] = {"observe": observe(self.context, run)}
        roll_up(self.context.database, cycle)
        summary["check"] = check(self.context.database, self.context.strategy, cycle, self.now)._asdict()
        run_engine(self.context.database, self.context.strategy, cycle)
        check_signals(self.context.database, self.context.strategy, cycle, self.now)
        summary["plan"] = plan_cycle(self.context, run)
        chosen = choose(self.context, run)["venues"]
        executed = {slug: execute(self.context, run, slug) for slug in chosen}
        reports = {f"{EXECUTE}{slug}": report for slug, report in executed.items()}
        summary["audit"] = audit(self.context, run, dict.fromkeys(reports, "success"), reports.__getitem__)
        return summary | {"executed": executed}

    async def _register(self) -> dict[str, int]:
        feeds, _ = _venue_clients(self.context.settings, RecordingSink(), lambda: self.now)
        (feed,) = (feed for feed in feeds if feed.venue == BAZAAR_SPOT)
        connection = await connect_async(self.database.url, Role.INGEST)
        try:
            await upsert_instruments(connection, BAZAAR_SPOT, await feed.listings(TOKENS))
            return await listed_instruments(connection, BAZAAR_SPOT)
        finally:
            await connection.close()


@pytest.fixture
def trading(database: Database) -> Iterator[PaperTrading]:
    opened = PaperTrading(database)
    yield opened
    opened.close()


def one_row(connection: Connection, query: str) -> tuple[object, ...]:
    return tuple(connection.execute(text(query)).one())


@pytest.mark.slow
def test_it_trades_on_paper(trading: PaperTrading) -> None:
    preload()
    assert BAZAAR_SPOT in ExecutorFactory.venues()
    for number in range(CYCLES):
        done = trading.cycle(SCENARIO_START + number * CYCLE_LENGTH)
        assert done["check"]["errors"] == {}
        assert done["plan"]["outcome"] == "planned"
    with trading.context.database.connect() as connection:
        fills, whole_lots, fees = one_row(
            connection,
            """
            SELECT count(*), bool_and(mod(quantity, 0.01) = 0), bool_and(abs(fee / (price * quantity) - 0.0020) < 1e-6)
            FROM fills WHERE (token_chain, book_id) = ('bazaar', 'spot')
            """,
        )
        assert fills
        assert (whole_lots, fees) == (True, True)
        # Spot is paid for: what is held left the cash.
        assert one_row(
            connection,
            """
            SELECT c.amount =
              6000 + sum(CASE f.side WHEN 'buy' THEN -1 ELSE 1 END * round(f.price * f.quantity, 6) - f.fee)
            FROM cash c, fills f WHERE c.token_chain = 'bazaar' AND c.asset = 'USDC' GROUP BY c.amount
            """,
        ) == (True,)
        assert one_row(connection, "SELECT count(*) > 0 FROM strands WHERE chain = 'bazaar/spot'") == (True,)
