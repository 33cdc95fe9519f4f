"""The processes of a run: the venue, the sidecar as `strandline ingest` starts it, and the CPU time that they take."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil  # type: ignore[import-untyped]
from sqlalchemy import URL, text

from benchmarks.benchmark import BenchmarkError
from benchmarks.database import session

_TIMEOUT_SECONDS = 120
_POLL_SECONDS = 0.01  # looking takes CPU time from both sides


class VenueProcess:
    """Steers the venue."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, path: str, **arguments: object) -> Any:  # noqa: ANN401  JSON
        """Send a request and return the decoded answer."""
        request = urllib.request.Request(  # noqa: S310  ours
            f"{self.url}/{path}", json.dumps(arguments).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310
            return json.load(response)


@contextmanager
def venue() -> Iterator[VenueProcess]:
    """Run a venue."""
    command = [sys.executable, "-m", "benchmarks.ingest.venue"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            assert process.stdout is not None
            yield VenueProcess(f"http://127.0.0.1:{process.stdout.readline().strip()}")
        finally:
            process.kill()


@contextmanager
def sidecar(url: URL, venue_url: str, instruments: int) -> Iterator[psutil.Process]:
    """Run a sidecar that streams so many instruments, and end it: it must have written everything."""
    command = [sys.executable, "-m", "strandline.cli.main", "ingest"]
    with TemporaryDirectory(prefix="strandline-bench-home-") as home:
        log = Path(home) / "log"
        settings = {
            "STRANDLINE_HOME": home,
            "STRANDLINE_ENV_FILE": os.devnull,
            "STRANDLINE_DATABASE_URL": url.render_as_string(hide_password=False),
            "STRANDLINE_HYPERLIQUID_URL": venue_url,
            "STRANDLINE_JUPITER_URL": venue_url,
        }
        ours = {name: value for name, value in os.environ.items() if not name.startswith("STRANDLINE_")}
        with log.open("w") as output, subprocess.Popen(command, env=ours | settings, stderr=output) as process:  # noqa: S603
            try:
                _wait(lambda: _streams(url, instruments), lambda: log.read_text())
                _wait(lambda: "compiled code" in log.read_text(), lambda: log.read_text())
                time.sleep(1)  # what it does once at its start is over
                yield psutil.Process(process.pid)
                process.terminate()
                if process.wait(_TIMEOUT_SECONDS):
                    raise BenchmarkError(f"the sidecar ended with {process.returncode}: {log.read_text()}")
            finally:
                process.kill()


def wait_for_ticks(url: URL, from_ms: int, count: int) -> float:
    """Wait until so many ticks from this time on are in the table; returns when."""
    query = text("SELECT count(*) FROM ticks WHERE ts >= to_timestamp(:ms / 1000.0)")
    with session(url) as connection:
        _wait(lambda: connection.execute(query, {"ms": from_ms}).scalar_one() == count, str)
    return time.monotonic()


def backends(url: URL) -> list[psutil.Process]:
    """The server's processes that serve this database's writers, but for those that have just ended."""
    query = text("SELECT pid FROM pg_stat_activity WHERE datname = :name AND application_name = 'strandline_ingest'")
    with session(url) as connection:
        pids = connection.scalars(query, {"name": url.database}).all()
    return [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]


class CpuClock:
    """Measures the CPU time that processes use from now on; one that ends, as a session of a repair does, counts for
    nothing.
    """

    def __init__(self, processes: Sequence[psutil.Process]) -> None:
        self._before = {process: seconds for process in processes if (seconds := _cpu_seconds(process)) is not None}

    def seconds(self) -> float:
        """What they have used, in their own code and in the kernel."""
        now = ((_cpu_seconds(process), before) for process, before in self._before.items())
        return sum(seconds - before for seconds, before in now if seconds is not None)


def _cpu_seconds(process: psutil.Process) -> float | None:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return None
    return float(times.user + times.system)


def _streams(url: URL, instruments: int) -> bool:
    """Whether the heartbeat says that all is subscribed to, and the history that was asked for is there."""
    with session(url) as connection:
        details = connection.execute(text("SELECT details FROM heartbeats")).scalar_one_or_none()
    feed = details["feeds"]["hyperliquid/perps"] if details else {"connected": False}
    return bool(feed["connected"] and feed["subscribed"] == instruments)


def _wait(holds: Callable[[], object], explain: Callable[[], str]) -> None:
    end = time.monotonic() + _TIMEOUT_SECONDS
    while not holds():
        if time.monotonic() > end:
            raise BenchmarkError(f"it takes longer than {_TIMEOUT_SECONDS} seconds {explain()}")
        time.sleep(_POLL_SECONDS)
