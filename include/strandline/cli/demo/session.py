"""A running demo: it waits for data, triggers the first cycle, and tells of each cycle as it goes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from rich.console import Console
from sqlalchemy import Engine, text

from strandline.cli.demo import market
from strandline.cli.demo.airflow_runs import OVER, AirflowRuns, DagRun
from strandline.cli.demo.books import differences, read_tape
from strandline.cli.demo.decisions import cycle_of_run, decisions
from strandline.cli.demo.seed import seed_prices, seed_rows
from strandline.cli.up.paths import Paths
from strandline.cli.up.screen import Screen
from strandline.cli.up.stack import Stack
from strandline.configuration import load_settings
from strandline.cycle.cycle_time import last_complete_cycle
from strandline.model.errors import ConfigurationError
from strandline.settings import PREFIX, Mode
from strandline.store.connect import connect, database_url
from strandline.store.roles import Role

if TYPE_CHECKING:
    from strandline.settings import Settings

_LOOK_EVERY: Final = 0.5
_TIME_TO_TRADE: Final = timedelta(seconds=90)
_WIDTH_OF_FILES: Final = 160
_EVERY_ROW_HAS_DATA: Final = """
    SELECT count(*) = (SELECT count(*) FROM positions)
    FROM positions JOIN instruments i USING (token_chain, book_id, token_contract)
    WHERE EXISTS (SELECT FROM ticks WHERE instrument_id = i.instrument_id AND source <> 'a')
      AND (book_id <> 'perps' OR EXISTS (SELECT FROM venue_candles WHERE instrument_id = i.instrument_id))
"""


@contextmanager
def demo_session() -> Iterator["Session"]:
    """Start everything; all of it is ended when the block is left."""
    settings = load_settings()
    if settings.mode is not Mode.SIM:
        raise ConfigurationError(
            [f"{PREFIX}MODE is {settings.mode}, but the demo trades on simulated venues; unset it"]
        )
    screen = Screen()
    place = Paths(settings.home)
    place.make()
    begins = market.moment(place.state / "demo.json")
    told = [f"--seed={market.SEED}", f"--scenario={market.SCENARIO}", f"--scenario-start={begins:%Y-%m-%dT%H:%M:%S}"]
    stack = Stack(
        settings,
        market=told,
        environment={"AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True"},  # until there are data
        before_sidecar=lambda _: seed_rows(settings),
        on_event=screen.tell,
    )
    with stack:
        engine = connect(database_url(settings, Role.UI), Role.UI)
        try:
            yield Session(settings, stack, screen, engine, begins)
        finally:
            engine.dispose()


class Session:
    """What the command does, step by step."""

    def __init__(self, settings: "Settings", stack: Stack, screen: Screen, engine: Engine, moment: datetime) -> None:
        self._settings = settings
        self._stack = stack
        self._engine = engine
        self._moment = moment
        self._console = Console(highlight=False)
        if not self._console.is_terminal:
            self._console.width = _WIDTH_OF_FILES
        self.tell: Callable[[str], None] = screen.tell
        user, password = stack.login
        self._airflow = AirflowRuns(int(stack.airflow_url.rpartition(":")[2]), user, password, stack.pause)
        self._told: set[str] = set()

    def first_cycle(self) -> list[str]:
        """As soon as there are data; what was wrong with it."""
        user, password = self._stack.login
        self.tell(f"Airflow's pages: {self._stack.airflow_url} (user {user}, password {password})")
        self._wait("the tokens' prices of the past", lambda: seed_prices(self._settings, self._moment))
        self._wait("data of every row", self._every_row_has_data)
        self._wait("the DAG", self._airflow.parsed)
        if last_complete_cycle(datetime.now(UTC) + _TIME_TO_TRADE) > (old := last_complete_cycle(datetime.now(UTC))):
            # What is decided for the old five minutes would expire before it is carried out.
            self._wait("the next five minutes", lambda: last_complete_cycle(datetime.now(UTC)) > old)
        runs = self._airflow.newest()
        self._told = {run.run_id for run in runs if run.state in OVER}
        if all(run.run_id in self._told for run in runs):  # else the scheduler was faster
            self._airflow.begin()
        return self._follow(self._next())

    def watch(self) -> None:
        """Every further cycle, until somebody asks for the end."""
        while True:
            self._follow(self._next())

    def _next(self) -> DagRun:
        """The oldest run that nobody was told of yet."""
        while True:
            new = [run for run in self._airflow.newest() if run.run_id not in self._told]
            if new:
                return new[0]
            self._stack.pause(_LOOK_EVERY)

    def _follow(self, run: DagRun) -> list[str]:
        """Tell of its tasks as they finish, then of what was decided; what was wrong."""
        self.tell(f"cycle {run.run_id} begins")
        seen: dict[str, str | None] = {}
        while True:
            run = self._airflow.run(run.run_id)
            self._tell_tasks(run.run_id, seen)
            if run.state in OVER:
                break
            self._stack.pause(_LOOK_EVERY)
        self._told.add(run.run_id)
        faults = [f"task {name} {state}" for name, state in seen.items() if state in {"failed", "upstream_failed"}]
        faults += self._show_decisions(run.run_id)
        return faults or ([] if run.state == "success" else ["the run failed"])

    def _tell_tasks(self, run_id: str, seen: dict[str, str | None]) -> None:
        for name, task in self._airflow.tasks(run_id).items():
            if task.state not in {"success", "failed", "upstream_failed", "skipped", "up_for_retry"}:
                continue
            if seen.get(name) != task.state:
                seen[name] = task.state
                took = f" in {task.seconds:.1f} s" if task.seconds is not None else ""
                self.tell(f"  {name:<32} {task.state}{took}")

    def _show_decisions(self, run_id: str) -> list[str]:
        with self._engine.connect() as connection:
            cycle = cycle_of_run(connection, run_id)
            if cycle is None:
                return ["no task of it ran"]
            self._console.print(decisions(connection, cycle))
            accounts, control = self._stack.accounts, self._stack.venue_urls["control"]
            assert accounts is not None  # noqa: S101  in sim there are some
            wrong = differences(connection, read_tape(control), accounts.hyperliquid_address, accounts.solana_address)
        self.tell("our books equal the venues' tapes" if not wrong else f"our books differ: {'; '.join(wrong)}")
        return wrong

    def _wait(self, what: str, there: Callable[[], bool]) -> None:
        self.tell(f"waiting for {what}")
        while not there():
            self._stack.pause(_LOOK_EVERY)

    def _every_row_has_data(self) -> bool:
        with self._engine.connect() as connection:
            return bool(connection.scalar(text(_EVERY_ROW_HAS_DATA)))
