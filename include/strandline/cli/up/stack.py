"""The whole system: in which order it starts, and that nothing of it is left when it ends."""

import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import Final, Self

from strandline.cli.airflow.client import AirflowClient
from strandline.cli.airflow.database import airflow_database_url, airflow_migrated, create_airflow_database
from strandline.cli.airflow.environment import USER, airflow_environment, airflow_secrets, write_airflow_home
from strandline.cli.up import components
from strandline.cli.up.interruption import Interruption
from strandline.cli.up.lock import only_one
from strandline.cli.up.loopback import HOST, without_proxy
from strandline.cli.up.paths import Paths
from strandline.cli.up.ports import reserved_ports
from strandline.cli.up.postgres import Postgres
from strandline.cli.up.processes import end, find_processes
from strandline.cli.up.program import Program
from strandline.cli.up.simulation import CONTROL, VENUES, Simulation
from strandline.cli.up.state_file import read_or_make
from strandline.cli.up.supervised import State, Supervised
from strandline.cli.up.supervisor import Supervisor
from strandline.cli.up.waiting import retry_while_away
from strandline.model.errors import StrandlineError
from strandline.settings import PREFIX, Mode, Settings
from strandline.store.connect import connect, database_url, in_words, owner_engine
from strandline.store.migrate import latest_step, migrate
from strandline.store.partitions import ensure_partitions_around
from strandline.store.postgres.programs import last_lines
from strandline.store.roles import Role
from strandline.venues.factory import ExecutorFactory

_SECONDS_TO_BE_HEALTHY: Final = 240.0
_DEATHS_AT_START: Final = 3
"""A component that dies so often before all are healthy is given up."""

_SECONDS_FOR_ORPHANS: Final = 5.0
_SECONDS_BETWEEN_POLLS: Final = 0.1


class Stack:
    """Started on entry, ended on exit. Between the two, `pause` or `wait` must be called most of the time.

    `market` are arguments of `strandline sim` besides its ports, at the first start of this home. `environment` is
    added to that of every program. `prepare` is called once both databases are migrated, before anything trades;
    `before_scheduler` once the api-server answers, for which the scheduler waits then.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        market: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        prepare: Callable[[], None] = lambda: None,
        before_scheduler: Callable[[AirflowClient], None] | None = None,
        on_event: Callable[[str], None] = print,
    ) -> None:
        self.settings = settings
        self.paths = Paths(settings.home)
        self.simulation: Simulation | None = None
        self._market = market
        self._more_environment = dict(environment or {})
        self._prepare = prepare
        self._before_scheduler = before_scheduler
        self._on_event = on_event
        self._interruption = Interruption()
        self._supervisor = Supervisor(self.paths, self._report)
        self._to_close = ExitStack()

    @property
    def airflow_url(self) -> str:
        """Where Airflow's pages are."""
        return f"http://localhost:{self._ports['airflow']}"

    @property
    def login(self) -> tuple[str, str]:
        """Name and password of the one user of Airflow's pages."""
        return USER, airflow_secrets(self.paths)["password"]

    @property
    def control_url(self) -> str:
        """In mode sim: where the simulator's own server is."""
        return f"http://{HOST}:{self._ports[CONTROL]}"

    @property
    def running(self) -> Sequence[Supervised]:
        """The components that were started."""
        return self._supervisor.running

    def pause(self, seconds: float = _SECONDS_BETWEEN_POLLS) -> None:
        """Wait, and restart what dies meanwhile; raise StopRequested as soon as a person asks for the end."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._interruption.check()
            self._supervisor.poll()
            time.sleep(min(left, _SECONDS_BETWEEN_POLLS))
        self._interruption.check()

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
        if self.settings.mode is Mode.SIM:
            self.simulation = Simulation(self.settings, self.paths.state)
        servers = self.simulation.servers if self.simulation else []
        self._ports = started.enter_context(reserved_ports(self.settings, servers))
        started.callback(self._end)
        if self.settings.database_url is None:
            self._start_group(Postgres(self.paths.postgres))
        create_airflow_database(self.settings)
        airflow = airflow_environment(self.paths, airflow_database_url(self.settings), self._ports["airflow"])
        write_airflow_home(self.paths, airflow)
        self._start_programs(started, airflow)
        self._report(f"everything is healthy after {time.monotonic() - since:.1f} s")

    def _start_programs(self, started: ExitStack, airflow: Mapping[str, str]) -> None:
        common = self._common_environment()
        client = self.airflow = AirflowClient(self._ports["airflow"], *self.login, self.pause, self._report)
        with airflow_migrated(self.paths, self.settings, airflow, self.pause):
            if self.simulation:
                self._start_group(self.simulation.program(self._ports, self._first_market()))
            self._migrate()
        self._prepare()
        self._start_group(*components.airflow_programs({**airflow, **common}, client))
        if self.simulation:
            self._wait_until_healthy(VENUES)
            fund = partial(self.simulation.fund, self._ports[CONTROL])
            retry_while_away("the simulated venues", fund, pause=self.pause, report=self._report)
        database = connect(database_url(self.settings, Role.UI), Role.UI)
        started.callback(database.dispose)
        self._start_group(components.sidecar(common, database))
        if self._before_scheduler is not None:
            self._wait_until_healthy(components.API_SERVER)
            self._before_scheduler(client)
        keys = self.simulation.keys if self.simulation else {}
        self._start_group(components.scheduler({**airflow, **common, **keys}, client))
        self._wait_until_healthy(components.API_SERVER)
        self._make_pools()
        self._wait_until_healthy(*(one.name for one in self.running))

    def _end_orphans(self) -> None:
        if orphans := find_processes(self.paths.home):
            self._report(f"ending {len(orphans)} processes that a killed strandline up has left")
            end(partial(find_processes, self.paths.home), self._timeout(_SECONDS_FOR_ORPHANS))

    def _first_market(self) -> Sequence[str]:
        """The market of the first start, because the state of the venues is of that one."""
        first = read_or_make(self.paths.state / "market.json", lambda: {"arguments": shlex.join(self._market)})
        return shlex.split(first["arguments"])

    def _common_environment(self) -> dict[str, str]:
        """What every program's environment has besides that of this process; no keys."""
        return {
            f"{PREFIX}HOME": str(self.paths.home),
            f"{PREFIX}MODE": str(self.settings.mode),
            **without_proxy(),
            **(self.simulation.environment(self._ports) if self.simulation else {}),
            **self._more_environment,
        }

    def _migrate(self) -> None:
        self._report("migrating the databases")
        with in_words(self.settings), owner_engine(self.settings) as engine:
            migrate(engine)
            ensure_partitions_around(engine, datetime.now(UTC).date())
        self._report(f"the schema is at step {latest_step()}")

    def _start_group(self, *programs: Program | Postgres) -> None:
        self._interruption.check()
        self._supervisor.start(*programs)

    def _wait_until_healthy(self, *names: str) -> None:
        deadline = time.monotonic() + _SECONDS_TO_BE_HEALTHY
        while waited_for := [one for one in self.running if one.name in names and one.state is not State.HEALTHY]:
            for one in waited_for:
                if one.restarts >= _DEATHS_AT_START or time.monotonic() > deadline:
                    end_of_log = last_lines(one.log.read_text(errors="replace")) if one.log.exists() else "nothing"
                    raise StrandlineError(f"{one.name} does not start; its log ends:\n{end_of_log}", f"see {one.log}")
            self.pause()

    def _make_pools(self) -> None:
        """Create a pool of two slots for each venue: a frozen task in one does not keep the next cycle from its venue.

        A pool that exists keeps the slots that a person gave it.
        """
        for venue in ExecutorFactory.venues():
            pool = {"name": venue.slug, "slots": 2, "description": f"Orders at {venue}"}
            self.airflow.request("POST", "/api/v2/pools", pool, accepted={201, 409})

    def _end(self) -> None:
        if killed := self._supervisor.end(self._timeout):
            self._report(f"{len(killed)} processes did not end and were killed: {', '.join(sorted(killed))}")

    def _report(self, message: str) -> None:
        # The terminal may be gone; that must not keep anything from being ended.
        with suppress(OSError):
            self._on_event(message)

    def _timeout(self, seconds: float) -> Callable[[], float]:
        """A timeout that is over at once when the end is asked for twice."""
        return lambda: 0.0 if self._interruption.requests > 1 else seconds
