"""The whole system: in which order it starts, and that nothing of it is left when it ends."""

import shlex
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self

from strandline.cli.airflow.client import AirflowClient
from strandline.cli.airflow.database import airflow_database_url, create_airflow_database
from strandline.cli.airflow.environment import USER, airflow_environment, airflow_secrets, write_airflow_home
from strandline.cli.airflow.migration import finish_migration, migration_started
from strandline.cli.up import components
from strandline.cli.up.accounts import Accounts, demo_accounts
from strandline.cli.up.interruption import Interruption
from strandline.cli.up.lock import only_one
from strandline.cli.up.loopback import without_proxy
from strandline.cli.up.monitor import Monitor, State, Status, Supervised
from strandline.cli.up.paths import Paths
from strandline.cli.up.ports import reserved_ports
from strandline.cli.up.postgres import SupervisedPostgres
from strandline.cli.up.processes import end, find_processes
from strandline.cli.up.state_file import read_or_make
from strandline.cli.up.supervisor import Supervisor
from strandline.cli.up.venues import SimulatedVenues, server_names
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
"""A component that dies so often before all are healthy is given up."""

_SECONDS_FOR_ORPHANS: Final = 5.0
_SECONDS_BETWEEN_CHECKS: Final = 0.05


class Stack:
    """Started on entry, ended on exit. While it starts, and in `pause` and `wait`, a request to stop is StopRequested.

    `market` are arguments of `strandline sim` besides its ports, at the first start of this home. `environment` is
    added to that of every program. `prepare` is called once both databases are migrated, before anything trades.
    `before_scheduler` is called once the api-server answers, unless this home is new.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        market: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        prepare: Callable[[], None] = lambda: None,
        before_scheduler: Callable[[AirflowClient], None] = lambda _: None,
        on_event: Callable[[str], None] = print,
    ) -> None:
        self.settings = settings
        self.paths = Paths(settings.home)
        self._market = market
        self._more_environment = dict(environment or {})
        self._prepare = prepare
        self._before_scheduler = before_scheduler
        self._on_event = on_event
        self._interruption = Interruption()
        self._to_close = ExitStack()
        self.accounts: Accounts | None = None
        self._venues: SimulatedVenues | None = None
        self._postgres: SupervisedPostgres | None = None
        self._supervisor: Supervisor | None = None
        self._monitor: Monitor | None = None

    @property
    def airflow_url(self) -> str:
        """Where Airflow's pages are."""
        return f"http://localhost:{self._ports['airflow']}"

    @property
    def login(self) -> tuple[str, str]:
        """Name and password of the one user of Airflow's pages."""
        return USER, airflow_secrets(self.paths)["password"]

    @property
    def venue_urls(self) -> Mapping[str, str]:
        """In mode sim: the URL of each server of `strandline sim`; `control` is the simulator's own."""
        return {} if self._venues is None else self._venues.urls

    @property
    def statuses(self) -> dict[str, Status]:
        """How each component is now; nothing before there are any, and when they end."""
        return {} if self._monitor is None else self._monitor.statuses

    def pause(self, seconds: float = _SECONDS_BETWEEN_CHECKS) -> None:
        """Wait; an error of a thread that supervises is raised here."""
        for part in (self._supervisor, self._monitor):
            if part is not None and part.failure is not None:
                raise part.failure
        self._interruption.pause(seconds)

    def wait(self) -> None:
        """Wait until a person asks for the end."""
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
        self.paths.make()
        started.enter_context(only_one(self.paths.state / "lock"))
        started.enter_context(self._interruption)
        self._report(f"mode {self.settings.mode}; everything is kept in {self.paths.home}")
        self._end_orphans()
        ports = reserved_ports(self.paths.state / "ports.json", self.settings, server_names())
        self._ports = started.enter_context(ports)
        self._choose_accounts()
        self._start_postgres(started)
        self._interruption.check()
        create_airflow_database(self.settings)
        airflow = airflow_environment(
            self.paths, airflow_database_url(self.paths, self.settings), self._ports["airflow"]
        )
        write_airflow_home(self.paths, airflow)
        self._report("migrating the databases")
        with migration_started(self.paths, self.settings, airflow) as migration:
            self._supervise(started, airflow)
            self._start_programs(self._venue_programs)
            self._migrate()
            if migration is not None:
                finish_migration(migration, self.paths, self.settings, self.pause)
        self._prepare()
        self._start_programs([components.API_SERVER, components.DAG_PROCESSOR, components.TRIGGERER])
        self._wait_until_healthy(self._venue_programs)
        self._start_programs([components.SIDECAR])
        if migration is None:
            self._wait_until_healthy([components.API_SERVER])
            self._before_scheduler(self.airflow)
        self._start_programs([components.SCHEDULER])
        self._wait_until_healthy([components.API_SERVER])
        self._make_pools()
        self._wait_until_healthy(self.statuses)
        self._report(f"everything is healthy after {time.monotonic() - since:.1f} s")

    @property
    def _venue_programs(self) -> Sequence[str]:
        return [] if self._venues is None else [components.VENUES]

    def _end_orphans(self) -> None:
        if orphans := find_processes(self.paths.home):
            self._report(f"ending {len(orphans)} processes that a killed strandline up has left")
            end(lambda: find_processes(self.paths.home), self._timeout(_SECONDS_FOR_ORPHANS))

    def _choose_accounts(self) -> None:
        if self.settings.mode is Mode.SIM:
            self.accounts = demo_accounts(self.paths.state / "accounts.json", self.settings)
            # The first start says which market it is: the state of the venues is of that one.
            first = read_or_make(self.paths.state / "market.json", lambda: {"arguments": shlex.join(self._market)})
            self._market = shlex.split(first["arguments"])
            state = self.paths.state / "venues.jsonl"
            self._venues = SimulatedVenues(self.settings, self._ports, self.accounts, state)
        self.airflow = AirflowClient(self._ports["airflow"], *self.login, self.pause, self._report)

    def _start_postgres(self, started: ExitStack) -> None:
        if self.settings.database_url is not None:
            return
        self._report("starting Postgres")
        self._postgres = SupervisedPostgres(EmbeddedPostgres(self.paths.postgres), self._report)
        started.callback(self._end_postgres, self._postgres)
        self._postgres.start()

    def _end_postgres(self, supervised: SupervisedPostgres) -> None:
        self._report("ending Postgres")
        supervised.stop()

    def _supervise(self, started: ExitStack, airflow: Mapping[str, str]) -> None:
        database = connect(database_url(self.settings, Role.UI), Role.UI)
        started.callback(database.dispose)
        venues = None if self._venues is None else self._venues.program(self._market)
        groups = components.program_groups(self.environment, airflow, self.accounts, venues, self.airflow, database)
        supervisor = Supervisor(self.paths, groups, self._report, self._postgres)
        started.callback(self._end_programs, supervisor)
        supervisor.start()
        self._supervisor = supervisor
        shown: list[Supervised] = [] if self._postgres is None else [self._postgres]
        monitor = Monitor([*shown, *supervisor.programs.values()], self._report)
        started.callback(self._end_monitor, monitor)
        monitor.start()
        self._monitor = monitor

    @property
    def environment(self) -> dict[str, str]:
        """What every program's environment has besides that of this process; no keys."""
        return {
            f"{PREFIX}HOME": str(self.paths.home),
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
        self._report(f"the schema is at step {latest_step()}")

    def _start_programs(self, names: Sequence[str]) -> None:
        self._interruption.check()
        for name in names:
            self._report(f"starting {name}")
            assert self._supervisor is not None  # noqa: S101  it is started first
            self._supervisor.start_program(name)

    def _wait_until_healthy(self, names: Iterable[str]) -> None:
        deadline = time.monotonic() + _SECONDS_TO_BE_HEALTHY
        while waited_for := [name for name in names if self.statuses[name].state is not State.HEALTHY]:
            for name in waited_for:
                if self.statuses[name].restarts >= _DEATHS_AT_START or time.monotonic() > deadline:
                    log = self.paths.log(name)
                    end_of_log = last_lines(log.read_text(errors="replace")) if log.exists() else "nothing"
                    raise StrandlineError(f"{name} does not start; its log ends:\n{end_of_log}", f"see {log}")
            self.pause()

    def _make_pools(self) -> None:
        """Create a pool of two slots for each venue: a frozen task in one does not keep the next cycle from its venue.

        A pool that exists keeps the slots that a person gave it.
        """
        for venue in ExecutorFactory.venues():
            pool = {"name": venue.slug, "slots": 2, "description": f"Orders at {venue}"}
            self.airflow.request("POST", "/api/v2/pools", pool, accepted={201, 409})

    def _end_monitor(self, monitor: Monitor) -> None:
        monitor.stop()
        self._monitor = None

    def _end_programs(self, supervisor: Supervisor) -> None:
        self._report("ending Airflow, the sidecar and the venues")
        if killed := supervisor.end(self._timeout):
            self._report(f"{len(killed)} processes did not end and were killed: {', '.join(sorted(killed))}")

    def _report(self, message: str) -> None:
        # The terminal may be gone; that must not keep anything from being ended.
        with suppress(OSError):
            self._on_event(message)

    def _timeout(self, seconds: float) -> Callable[[], float]:
        """A timeout that is over at once when the end is asked for twice."""
        return lambda: 0.0 if self._interruption.insistent else seconds
