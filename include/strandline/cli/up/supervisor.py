"""supervisord as a child: starts programs, starts them again when they die, and ends them in order."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final, cast
from xmlrpc.client import Fault, ServerProxy, Transport

from typing_extensions import override

from strandline.cli.up import launch
from strandline.cli.up.paths import Paths
from strandline.cli.up.processes import marks
from strandline.cli.up.program import Program
from strandline.model.errors import StrandlineError

_SOCKET: Final = "supervisor.sock"
_LAUNCH: Final = "_STRANDLINE_UP_LAUNCH"
_SECONDS_TO_ANSWER: Final = 30.0
_LONGEST_SOCKET_PATH: Final = 100
_ALREADY_STARTED: Final = 60

# supervisord makes every name absolute; by this one a socket's address stays short, however long the path.
_HERE: Final = "/proc/self/cwd/" if Path("/proc/self/cwd").exists() else ""

# All names are relative to the directory that it runs in: no character of a path can be mistaken for a comment, a quote
# or a placeholder.
_HEAD: Final = f"""\
[unix_http_server]
file = {_HERE}{_SOCKET}
chmod = 0700

[supervisord]
nodaemon = true
logfile = /dev/null
logfile_maxbytes = 0
pidfile = supervisord.pid

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
"""
# A program that dies within its first 10 s is started again after 1, 2, 3, … s, one that dies later at once. Only the
# program itself is asked to end, so that it can let its children finish; after 10 s all of them are killed.
_PROGRAM: Final = """
[program:{name}]
command = %(ENV_{launch})s {name}
autostart = false
autorestart = true
startsecs = 10
startretries = 1000000
stopwaitsecs = 10
killasgroup = true
redirect_stderr = true
stdout_logfile = ../logs/{name}.log
stdout_logfile_maxbytes = 10MB
stdout_logfile_backups = 3
"""
_GROUP: Final = """
[group:{name}]
programs = {programs}
priority = {priority}
"""
_NEWS: Final = re.compile(r"(?P<what>spawned|exited): '?(?P<name>[\w-]+)'? (?:with pid (?P<pid>\d+)|\((?P<how>[^;)]*))")


@dataclass(frozen=True)
class Process:
    """A program as supervisord sees it."""

    pid: int | None
    uptime: float


@dataclass(frozen=True)
class Death:
    """A program ended that nobody had asked to; `how` is supervisord's word, as in `terminated by SIGKILL`."""

    name: str
    pid: int
    how: str


@dataclass(frozen=True)
class Birth:
    """A program was started."""

    name: str
    pid: int


class Supervisor:
    """Groups of programs; a group ends before the groups that stand before it."""

    def __init__(self, place: Paths, groups: Mapping[str, Sequence[Program]]) -> None:
        self._place = place
        self._groups = groups
        self._process: subprocess.Popen[bytes] | None = None
        self._started: list[str] = []
        self._read_to = 0
        self._pids: dict[str, int] = {}

    @property
    def log(self) -> Path:
        """What it says itself."""
        return self._place.log("supervisord")

    @property
    def pid(self) -> int | None:
        """Its process, while it lives."""
        return None if self._process is None or self._process.poll() is not None else self._process.pid

    def start(self) -> None:
        """Start it, and the programs that had been started when it died."""
        (self._place.state / "supervisord.conf").write_text(self._configuration())
        self._read_to = 0
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "supervisor.supervisord", "-c", "supervisord.conf"],
                cwd=self._place.state,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait_for_answer()
        for name in self._started:
            self._tell_to_start(name)

    def start_program(self, name: str) -> None:
        """Start one program; it is started again whenever it dies."""
        self._started.append(name)
        self._tell_to_start(name)

    def processes(self) -> dict[str, Process]:
        """All programs by name; none while it does not answer."""
        try:
            with self._remote() as remote:
                told = cast("list[dict[str, Any]]", remote.supervisor.getAllProcessInfo())
        except (OSError, HTTPException, Fault):
            return {}
        # It tells whole seconds: rather too few than too many.
        return {one["name"]: Process(one["pid"] or None, max(0.0, one["now"] - one["start"] - 1)) for one in told}

    def news(self) -> list[Birth | Death]:
        """What happened since this was last asked, in order."""
        with self.log.open("rb") as log:
            log.seek(self._read_to)
            said = log.read()
        whole = said[: said.rfind(b"\n") + 1]
        self._read_to += len(whole)
        return [self._one(match) for match in _NEWS.finditer(whole.decode(errors="replace"))]

    def end(self) -> None:
        """Ask it to end all programs and itself; `pid` tells when it has."""
        if self._process is not None and self.pid is not None:
            self._process.send_signal(signal.SIGTERM)

    def _one(self, match: re.Match[str]) -> Birth | Death:
        name = match["name"]
        if match["what"] == "spawned":
            self._pids[name] = int(match["pid"])
            return Birth(name, self._pids[name])
        return Death(name, self._pids[name], match["how"])

    def _configuration(self) -> str:
        parts = [_HEAD]
        for priority, (group, programs) in enumerate(self._groups.items(), start=1):
            names = [program.name for program in programs]
            parts += [_PROGRAM.format(name=name, launch=_LAUNCH) for name in names]
            parts.append(_GROUP.format(name=group, programs=",".join(names), priority=priority))
        return "".join(parts)

    def _environment(self) -> dict[str, str]:
        programs = {
            program.name: {
                "command": list(program.command),
                "environment": dict(program.environment),
                "without": list(program.without),
                "directory": str(Path.cwd()),
            }
            for programs in self._groups.values()
            for program in programs
        }
        return {
            **os.environ,
            **marks(self._place.home),
            launch.PROGRAMS: json.dumps(programs),
            _LAUNCH: shlex.join([sys.executable, "-I", "-S", launch.__file__]),
        }

    def _tell_to_start(self, name: str) -> None:
        group = next(group for group, programs in self._groups.items() if name in {one.name for one in programs})
        with self._remote() as remote:
            remote.supervisor.startProcess(f"{group}:{name}", False)

    def _wait_for_answer(self) -> None:
        deadline = time.monotonic() + _SECONDS_TO_ANSWER
        while not self.processes():
            if self.pid is None or time.monotonic() > deadline:
                problem = f"supervisord did not start: {self.log.read_text(errors='replace')[-500:].strip()}"
                raise StrandlineError(problem, f"put that right and start again; see {self.log}")
            time.sleep(0.02)

    @contextmanager
    def _remote(self) -> Iterator[ServerProxy]:
        directory = os.open(self._place.state, os.O_RDONLY)
        try:
            with closing(_OverSocket(_address(self._place.state, directory))) as transport:
                yield ServerProxy("http://supervisord", transport=transport)
        finally:
            os.close(directory)


def _address(state: Path, directory: int) -> str:
    """The socket, by the open directory where the system knows such names."""
    if _HERE:
        return f"/proc/self/fd/{directory}/{_SOCKET}"
    path = str(state / _SOCKET)
    if len(path) > _LONGEST_SOCKET_PATH:
        raise StrandlineError(f"{path} is too long for a socket", "let STRANDLINE_HOME name a shorter path")
    return path


class _OverSocket(Transport):
    """XML-RPC over a Unix socket."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self._socket_connection = _SocketConnection(address)

    @override
    def make_connection(self, host: Any) -> HTTPConnection:
        return self._socket_connection

    @override
    def close(self) -> None:
        self._socket_connection.close()


class _SocketConnection(HTTPConnection):
    def __init__(self, address: str) -> None:
        super().__init__("supervisord", timeout=10)
        self._address = address

    @override
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._address)
