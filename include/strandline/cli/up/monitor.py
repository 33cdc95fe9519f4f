"""Watches what runs, in a thread: brings back what supervisord does not, tells of deaths, knows how each one is."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from strandline.cli.up.component import Ready, State, Status
from strandline.cli.up.interruption import unheard_by_children
from strandline.cli.up.paths import Paths
from strandline.cli.up.processes import end, marked
from strandline.cli.up.supervisor import Birth, Death, Process, Supervisor
from strandline.model.errors import StrandlineError
from strandline.store.postgres.server import EmbeddedPostgres

POSTGRES: Final = "postgres"
_BETWEEN_LOOKS: Final = 0.3
_BETWEEN_LOOKS_AT_THE_HEALTHY: Final = 1.0
_PATIENCE_WITH_ORPHANS: Final = 5.0


class Monitor:
    """Of one system. `statuses` is replaced as a whole, so that any thread may read it."""

    def __init__(
        self,
        place: Paths,
        supervisor: Supervisor,
        postgres: EmbeddedPostgres | None,
        ready: Mapping[str, Ready],
        tell: Callable[[str], None],
    ) -> None:
        self._place = place
        self._supervisor = supervisor
        self._postgres = postgres
        self._ready = ready
        self._tell = tell
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="strandline-up-watch")
        self._postgres_since = time.time()
        self._postgres_pid = None if postgres is None else postgres.pid
        self._deaths: dict[str, Death] = {}
        self._restarts: Counter[str] = Counter()
        self._born: set[str] = set()
        self.failure: Exception | None = None
        self.statuses: dict[str, Status] = {name: Status(name, State.WAITING, time.time()) for name in ready}

    def start(self) -> None:
        """Until `stop`."""
        self._thread.start()

    def stop(self) -> None:
        """Returns when nothing is brought back any more."""
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                self._look()
            except Exception as error:  # noqa: BLE001 - whoever waits for this thread raises it
                self.failure = error
                return
            well = all(status.state is State.HEALTHY for status in self.statuses.values())
            self._over.wait(_BETWEEN_LOOKS_AT_THE_HEALTHY if well else _BETWEEN_LOOKS)

    def _look(self) -> None:
        if self._postgres is not None:
            self._bring_back_postgres(self._postgres)
        self._hear_news()
        if self._supervisor.pid is None:
            self._bring_back_supervisor()
        processes = self._supervisor.processes()
        if self._postgres is not None:
            processes[POSTGRES] = Process(self._postgres_pid, time.time() - self._postgres_since)
        self.statuses = {name: self._status(name, processes.get(name)) for name in self._ready}

    def _bring_back_postgres(self, postgres: EmbeddedPostgres) -> None:
        if postgres.pid is not None:
            return
        try:
            with unheard_by_children():
                postgres.start()
        except StrandlineError as error:
            self._tell(f"postgres died and does not start: {error}")
            return
        self._postgres_pid, self._postgres_since = postgres.pid, time.time()
        self._restarts[POSTGRES] += 1
        self._tell(f"postgres died; restarted, pid {self._postgres_pid}; see {self._place.log(POSTGRES)}")

    def _bring_back_supervisor(self) -> None:
        # What it had started lives on, and would be in the way of what is started now.
        end(lambda: marked(self._place.home), lambda: _PATIENCE_WITH_ORPHANS)
        self._supervisor.start()
        self._tell(f"supervisord died, and all that it ran was ended; restarted, pid {self._supervisor.pid}")

    def _hear_news(self) -> None:
        for news in self._supervisor.news():
            if isinstance(news, Death):
                self._deaths[news.name] = news
                self._end_what_it_left(news.pid)
            else:
                self._hear_of_birth(news)

    def _end_what_it_left(self, pid: int) -> None:
        """A scheduler that is killed leaves its workers, and they their tasks; nobody else would ever end them."""
        end(lambda: marked(self._place.home, pid), lambda: _PATIENCE_WITH_ORPHANS)

    def _hear_of_birth(self, birth: Birth) -> None:
        death = self._deaths.pop(birth.name, None)
        self._restarts[birth.name] += birth.name in self._born
        self._born.add(birth.name)
        if death is not None:
            log = self._place.log(birth.name)
            self._tell(f"{birth.name} {_in_words(death.how)}; restarted, pid {birth.pid}; see {log}")

    def _status(self, name: str, process: Process | None) -> Status:
        before = self.statuses[name]
        pid = None if process is None else process.pid
        state = self._state(before, pid, 0.0 if process is None else process.uptime)
        if (state, pid) == (before.state, before.pid):
            return replace(before, restarts=self._restarts[name])
        if state is State.HEALTHY and self._restarts[name]:
            self._tell(f"{name} is healthy again")
        return Status(name, state, time.time(), self._restarts[name], pid)

    def _state(self, before: Status, pid: int | None, uptime: float) -> State:
        if pid is None:
            return State.WAITING if before.state is State.WAITING else State.DOWN
        if self._ready[before.name](pid, uptime):
            return State.HEALTHY
        was_well = before.pid == pid and before.state in {State.HEALTHY, State.SILENT}
        return State.SILENT if was_well else State.STARTING


def _in_words(how: str) -> str:
    """supervisord's word for an end, as a person would say it."""
    killed = "terminated by "
    return f"was killed ({how.removeprefix(killed)})" if how.startswith(killed) else f"ended by itself ({how})"
