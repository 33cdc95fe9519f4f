"""The whole system: in which order it starts, and that nothing of it is left when it ends."""

import shlex
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, NamedTuple, Self

from strandline.cli.up import components
from strandline.cli.up.accounts import Accounts, demo_accounts
from strandline.cli.up.airflow_api import AirflowApi
from strandline.cli.up.airflow_database import airflow_database_url, create_airflow_database
from strandline.cli.up.airflow_environment import USER, airflow_environment, airflow_secrets, write_airflow_home
from strandline.cli.up.airflow_migration import AirflowMigration
from strandline.cli.up.component import State, Status
from strandline.cli.up.interruption import Interruption, unheard_by_children
from strandline.cli.up.lock import only_one
from strandline.cli.up.loopback import without_proxy
from strandline.cli.up.monitor import POSTGRES, Monitor
from strandline.cli.up.paths import Paths
from strandline.cli.up.ports import choose_ports
from strandline.cli.up.processes import end, marked
from strandline.cli.up.state_file import kept
from strandline.cli.up.supervisor import Supervisor
from strandline.cli.up.venues import VENUE_PORTS, SimulatedVenues
from strandline.model.errors import StrandlineError
from strandline.settings import PREFIX, Mode, Settings
from strandline.store.connect import connect, database_url, in_words, owner_engine
from strandline.store.migrate import latest_step, migrate
from strandline.store.partitions import ensure_partitions_around
from strandline.store.postgres.programs import last_lines
from strandline.store.postgres.server import EmbeddedPostgres
from strandline.store.roles import Role
from strandline.venues.factory import ExecutorFactory

_SECONDS_TO_BE_HEALTHY: Final = 240.0
_DEATHS_AT_START: Final = 3
"""So often a component may die before it is given up."""

_PATIENCE: Final = 40.0
"""For all programs together to end; supervisord kills what does not within 10 s."""

_PATIENCE_WITH_LEFTOVERS: Final = 5.0
_BETWEEN_LOOKS: Final = 0.05


class Login(NamedTuple):
    """To Airflow's pages."""

    user: str
    password: str


class Stack:
    """Started on entry, ended on exit. While it starts and in `pause` and `wait`, a wish to stop is StopRequested.

    `market` is what `strandline sim` is told besides its ports, at the first start of this home. `environment` is added
    to that of every program. `before_sidecar` is called once the database is migrated and the venues are open, before
    anything trades.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        market: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        before_sidecar: Callable[["Stack"], None] | None = None,
        on_event: Callable[[str], None] = print,
    ) -> None:
        self.settings = settings
        self.place = Paths(settings.home)
        self.simulated = settings.mode is Mode.SIM
        self._market = market
        self._more_environment = dict(environment or {})
        self._before_sidecar = before_sidecar
        self._on_event = on_event
        self._interruption = Interruption()
        self._to_close = ExitStack()
        self.accounts: Accounts | None = None
        self._venues: SimulatedVenues | None = None
        self._watch: Monitor | None = None

    @property
    def airflow_url(self) -> str:
        """Where Airflow's pages are."""
        return f"http://localhost:{self._ports['airflow']}"

    @property
    def login(self) -> Login:
        """The one user of Airflow's pages."""
        return Login(USER, airflow_secrets(self.place)["password"])

    @property
    def venue_urls(self) -> Mapping[str, str]:
        """In mode sim: hyperliquid, solana, jupiter, and the simulator's own control."""
        return {} if self._venues is None else self._venues.urls

    @property
    def statuses(self) -> dict[str, Status]:
        """How each component is now; nothing before there are any, and when they end."""
        return {} if self._watch is None else self._watch.statuses

    def pause(self, seconds: float = _BETWEEN_LOOKS) -> None:
        """Wait."""
        if self._watch is not None and self._watch.failure is not None:
            raise self._watch.failure
        self._interruption.pause(seconds)

    def wait(self) -> None:
        """Until somebody asks for the end."""
        while True:
            self.pause(1.0)

    def __enter__(self) -> Self:
        """Start everything; whatever goes wrong, nothing is left."""
        with ExitStack() as started:
            self._start(started)
            self._to_close = started.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End everything."""
        self._to_close.__exit__(kind, error, traceback)

    def _start(self, started: ExitStack) -> None:
        since = time.monotonic()
        self.place.make()
        started.enter_context(only_one(self.place.state / "lock"))
        started.enter_context(self._interruption)
        self._tell(f"mode {self.settings.mode}; everything is kept in {self.place.home}")
        self._end_orphans()
        self._choose()
        postgres = self._start_postgres(started)
        self._interruption.check()
        create_airflow_database(self.settings)
        airflow = airflow_environment(
            self.place, airflow_database_url(self.place, self.settings), self._ports["airflow"]
        )
        write_airflow_home(self.place, airflow)
        self._tell("migrating the databases")
        migration = started.enter_context(AirflowMigration(self.place, self.settings, airflow))
        self._start_supervisor(started, airflow, postgres)
        self._start_programs([components.VENUES] if self.simulated else [])
        self._migrate()
        migration.wait(self._interruption)
        # What needs nothing but tables comes up while the venues and the caller's part go on.
        self._start_programs([components.API_SERVER, components.DAG_PROCESSOR, components.TRIGGERER])
        self._wait_until_healthy([components.VENUES] if self.simulated else [])
        if self._before_sidecar is not None:
            self._before_sidecar(self)
        self._start_programs([components.SIDECAR, components.SCHEDULER])
        self._wait_until_healthy([components.API_SERVER])
        self._make_pools()
        self._wait_until_healthy(self.statuses)
        self._tell(f"everything is healthy after {time.monotonic() - since:.1f} s")

    def _end_orphans(self) -> None:
        if orphans := marked(self.place.home):
            self._tell(f"ending {len(orphans)} processes that a killed strandline up has left")
            end(lambda: marked(self.place.home), self._patience(_PATIENCE_WITH_LEFTOVERS))

    def _choose(self) -> None:
        self._ports = choose_ports(self.place.state / "ports.json", self.settings, VENUE_PORTS)
        if self.simulated:
            self.accounts = demo_accounts(self.place.state / "accounts.json", self.settings)
            # The first start says which market it is: the state of the venues is of that one.
            told = kept(self.place.state / "market.json", lambda: {"arguments": shlex.join(self._market)})
            self._market = shlex.split(told["arguments"])
            self._venues = SimulatedVenues(self.settings, self._ports, self.accounts, self.place.state / "venues.jsonl")
        self._api = AirflowApi(self._ports["airflow"], *self.login)

    def _start_postgres(self, started: ExitStack) -> EmbeddedPostgres | None:
        if self.settings.database_url is not None:
            return None
        self._tell("starting Postgres")
        postgres = EmbeddedPostgres(self.place.postgres)
        started.callback(self._end_postgres, postgres)
        with unheard_by_children():
            postgres.start()
        return postgres

    def _end_postgres(self, postgres: EmbeddedPostgres) -> None:
        self._tell("ending Postgres")
        with unheard_by_children():
            postgres.stop()

    def _start_supervisor(
        self, started: ExitStack, airflow: Mapping[str, str], postgres: EmbeddedPostgres | None
    ) -> None:
        market = None if self._venues is None else self._venues.program(self._market)
        programs = components.groups(self.environment, airflow, self.accounts, market)
        self._supervisor = Supervisor(self.place, programs)
        database = connect(database_url(self.settings, Role.UI), Role.UI)
        started.callback(database.dispose)
        ready = components.readiness(self._api, database, self._venues)
        if postgres is not None:
            ready = {POSTGRES: lambda _, __: postgres.running, **ready}
        started.callback(self._end_programs)
        self._supervisor.start()
        self._watch = Monitor(self.place, self._supervisor, postgres, ready, self._tell)
        started.callback(self._end_watch, self._watch)
        self._watch.start()

    @property
    def environment(self) -> dict[str, str]:
        """What every program is given besides the environment of this process; no keys."""
        return {
            f"{PREFIX}HOME": str(self.place.home),
            f"{PREFIX}MODE": str(self.settings.mode),
            **without_proxy(),
            **(self._venues.settings if self._venues else {}),
            **(self.accounts.public if self.accounts else {}),
            **self._more_environment,
        }

    def _migrate(self) -> None:
        with in_words(self.settings), owner_engine(self.settings) as engine:
            migrate(engine)
            ensure_partitions_around(engine, datetime.now(UTC).date())
        self._tell(f"the schema is at step {latest_step()}")

    def _start_programs(self, names: Sequence[str]) -> None:
        self._interruption.check()
        for name in names:
            self._tell(f"starting {name}")
            self._supervisor.start_program(name)

    def _wait_until_healthy(self, names: Iterable[str]) -> None:
        deadline = time.monotonic() + _SECONDS_TO_BE_HEALTHY
        while unwell := [name for name in names if self.statuses[name].state is not State.HEALTHY]:
            for name in unwell:
                if self.statuses[name].restarts >= _DEATHS_AT_START or time.monotonic() > deadline:
                    log = self.place.log(name)
                    said = last_lines(log.read_text(errors="replace")) if log.exists() else "nothing"
                    raise StrandlineError(f"{name} does not start; its log ends:\n{said}", f"see {log}")
            self.pause()

    def _make_pools(self) -> None:
        for venue in ExecutorFactory.venues():
            self._api.ensure_pool(venue.slug, f"Orders at {venue}: one task at a time.")

    def _end_watch(self, watch: Monitor) -> None:
        watch.stop()
        self._watch = None

    def _end_programs(self) -> None:
        self._tell("ending Airflow, the sidecar and the venues")
        self._supervisor.end()
        patience, since = self._patience(_PATIENCE), time.monotonic()
        while self._supervisor.pid is not None and time.monotonic() - since < patience():
            time.sleep(_BETWEEN_LOOKS)
        killed = end(lambda: marked(self.place.home), self._patience(_PATIENCE_WITH_LEFTOVERS))
        if killed:
            self._tell(f"{len(killed)} processes did not end and were killed: {', '.join(map(str, killed))}")

    def _tell(self, message: str) -> None:
        # The terminal may be gone; that must not keep anything from being ended.
        with suppress(OSError):
            self._on_event(message)

    def _patience(self, seconds: float) -> Callable[[], float]:
        """None any more once somebody asks twice."""
        return lambda: 0.0 if self._interruption.insistent else seconds
