"""Runs the demo: waits for data, starts the first cycle, and shows every cycle."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from rich.console import Console
from sqlalchemy import Engine, text

from strandline.cli.demo import market
from strandline.cli.demo.books import differences, read_tape
from strandline.cli.demo.dag_runs import FINISHED, DagRuns
from strandline.cli.demo.decisions import cycle_of_run, decisions
from strandline.cli.demo.first_cycle import unpause_in_time
from strandline.cli.demo.outcome import follow_until_filled, unfilled_venues
from strandline.cli.demo.seed import seed_prices, seed_rows
from strandline.cli.up.paths import Paths
from strandline.cli.up.screen import Screen
from strandline.cli.up.stack import Stack
from strandline.cli.up.waiting import retry_while_away
from strandline.configuration import load_settings
from strandline.model.errors import ConfigurationError
from strandline.model.regime import MACRO, MESO
from strandline.settings import PREFIX, Mode
from strandline.store.connect import connect, database_url
from strandline.store.roles import Role
from strandline.venues.hyperliquid import HYPERLIQUID
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from strandline.venues.solana.key import SOLANA_ONCHAIN

if TYPE_CHECKING:
    from strandline.settings import Settings

T = TypeVar("T")

_POLL_SECONDS: Final = 0.5
_FILE_WIDTH: Final = 160
_SHOWN_STATES: Final = frozenset({"success", "failed", "upstream_failed", "skipped", "up_for_retry"})
_EVERY_ROW_HAS_DATA: Final = """
    SELECT count(*) = (SELECT count(*) FROM positions)
    FROM positions JOIN instruments i USING (token_chain, book_id, token_contract)
    WHERE EXISTS (SELECT FROM ticks WHERE instrument_id = i.instrument_id AND source <> 'a')
      AND (book_id <> 'perps' OR EXISTS (
        SELECT FROM venue_candles c WHERE (c.instrument_id, c.timeframe) = (i.instrument_id, positions.timeframe)))
"""
_THE_MARKET_HAS_A_PAST: Final = """
    SELECT count(*) = 2 * cardinality(CAST(:majors AS text[]))
    FROM instruments i CROSS JOIN unnest(CAST(:timeframes AS timeframe[])) AS f (timeframe)
    WHERE (i.token_chain, i.book_id) = (:chain, :book) AND i.token_contract = ANY (CAST(:majors AS text[]))
      AND EXISTS (SELECT FROM venue_candles c WHERE (c.instrument_id, c.timeframe) = (i.instrument_id, f.timeframe))
"""


@contextmanager
def demo_session() -> Iterator["Session"]:
    """Start everything; stop it at the end of the block."""
    settings = load_settings()
    if settings.mode is not Mode.SIM:
        raise ConfigurationError(
            [f"{PREFIX}MODE is {settings.mode}, but the demo trades on simulated venues; unset it"]
        )
    screen = Screen()
    paths = Paths(settings.home)
    paths.make()
    is_first = not (paths.state / "demo.json").exists()
    start = market.scenario_start(paths.state / "demo.json")
    stack = Stack(
        settings,
        market=[
            f"--seed={market.SEED}",
            f"--scenario={market.SCENARIO}",
            f"--scenario-start={start:%Y-%m-%dT%H:%M:%S}",
        ],
        environment={"AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True"},
        prepare=partial(seed_rows, settings),
        # An earlier demo unpaused it: no cycle before there are new data.
        before_scheduler=None if is_first else lambda airflow: DagRuns(airflow).pause(),
        on_event=screen.report,
    )
    with stack:
        engine = connect(database_url(settings, Role.UI), Role.UI)
        try:
            yield Session(settings, stack, screen, engine, start)
        finally:
            engine.dispose()


class Session:
    """The steps of the command. It waits for components that are away, as after a kill."""

    def __init__(
        self, settings: "Settings", stack: Stack, screen: Screen, engine: Engine, scenario_start: datetime
    ) -> None:
        self._settings = settings
        self._stack = stack
        self._engine = engine
        self._scenario_start = scenario_start
        self._console = Console(highlight=False)
        if not self._console.is_terminal:
            self._console.width = _FILE_WIDTH
        self.report: Callable[[str], None] = screen.report
        self._runs = DagRuns(stack.airflow)
        self._shown: set[str] = set()

    def first_cycle(self) -> list[str]:
        """Run a cycle as soon as there are data; return its faults."""
        user, password = self._stack.login
        self.report(f"Airflow's pages: {self._stack.airflow_url} (user {user}, password {password})")
        self._wait("the tokens' prices of the past", lambda: seed_prices(self._settings, self._scenario_start))
        self._wait("data of every row", self._every_row_has_data)
        self._wait("the market's hours and days", self._the_market_has_a_past)
        self._wait("the DAG", self._runs.is_parsed)
        self._shown = {run.run_id for run in self._runs.newest() if run.state in FINISHED}
        clock = partial(datetime.now, UTC)
        first = unpause_in_time(self._runs, clock, self._stack.pause, self.report)
        return follow_until_filled(self._new_runs(since=first), self._follow, self._unfilled, self.report)

    def watch(self) -> None:
        """Show every further cycle until interrupted."""
        for run_id in self._new_runs():
            self._follow(run_id)

    def _new_runs(self, since: datetime | None = None) -> Iterator[str]:
        """Yield runs that were not shown yet, oldest first, as they appear."""
        while True:
            for run in self._runs.newest():
                late_enough = since is None or (run.cycle is not None and run.cycle >= since)
                if run.run_id not in self._shown and late_enough:
                    yield run.run_id
                    break
            else:
                self._stack.pause(_POLL_SECONDS)

    def _follow(self, run_id: str) -> list[str]:
        """Show the run's tasks as they finish, then its decisions; return its faults."""
        self.report(f"cycle {run_id} begins")
        seen: dict[str, str | None] = {}
        while True:
            run, later = self._runs.with_later(run_id)
            self._report_tasks(run_id, seen)
            if run.state in FINISHED:
                break
            if any(other.is_scheduled and other.state in FINISHED for other in later):
                # A frozen task keeps its run from ending for half an hour; the cycles after it go on.
                self._shown.add(run_id)
                self.report(f"cycle {run_id} has not ended, and a later one has: going on without it")
                return ["the run did not end"]
            self._stack.pause(_POLL_SECONDS)
        self._shown.add(run_id)
        faults = [f"task {name} {state}" for name, state in seen.items() if state in {"failed", "upstream_failed"}]
        faults += self._retry("our books", partial(self._show_decisions, run_id))
        return faults or ([] if run.state == "success" else ["the run failed"])

    def _report_tasks(self, run_id: str, seen: dict[str, str | None]) -> None:
        for name, task in self._runs.tasks(run_id).items():
            if task.state in _SHOWN_STATES and seen.get(name) != task.state:
                seen[name] = task.state
                seconds = f" in {task.seconds:.1f} s" if task.seconds is not None else ""
                self.report(f"  {name:<32} {task.state}{seconds}")

    def _show_decisions(self, run_id: str) -> list[str]:
        simulation = self._stack.simulation
        assert simulation is not None  # noqa: S101  the mode is sim
        tape = read_tape(self._stack.control_url)
        addresses = [simulation.accounts[key].address for key in (HYPERLIQUID_PERPS, SOLANA_ONCHAIN)]
        with self._engine.connect() as connection:
            cycle = cycle_of_run(connection, run_id)
            if cycle is None:
                return ["no task of it ran"]
            table = decisions(connection, cycle)
            differing = differences(connection, tape, *addresses)
        self._console.print(table)
        self.report(
            "our books equal the venues' tapes" if not differing else f"our books differ: {'; '.join(differing)}"
        )
        return differing

    def _unfilled(self, run_id: str) -> dict[str, str]:
        def read() -> dict[str, str]:
            with self._engine.connect() as connection:
                cycle = cycle_of_run(connection, run_id)
                return {} if cycle is None else dict(unfilled_venues(connection, cycle, market.VENUES))

        return self._retry("what was filled", read)

    def _wait(self, what: str, arrived: Callable[[], bool]) -> None:
        self.report(f"waiting for {what}")
        while not self._retry(what, arrived):
            self._stack.pause(_POLL_SECONDS)

    def _retry(self, what: str, read: Callable[[], T]) -> T:
        return retry_while_away(what, read, pause=self._stack.pause, report=self.report)

    def _every_row_has_data(self) -> bool:
        with self._engine.connect() as connection:
            return bool(connection.scalar(text(_EVERY_ROW_HAS_DATA)))

    def _the_market_has_a_past(self) -> bool:
        """Whether the coins that the regime is computed from have theirs."""
        majors = {
            "chain": HYPERLIQUID_PERPS.token_chain,
            "book": HYPERLIQUID_PERPS.book_id,
            "majors": sorted(HYPERLIQUID.always_watched),
            "timeframes": [MESO.value, MACRO.value],
        }
        with self._engine.connect() as connection:
            return bool(connection.scalar(text(_THE_MARKET_HAS_A_PAST), majors))
