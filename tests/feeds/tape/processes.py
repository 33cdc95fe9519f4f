"""The venue and the sidecar as processes that a proof starts, kills and asks."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.request import Request, urlopen

import msgspec
import psutil  # type: ignore[import-untyped]
from sqlalchemy import URL

from tests.feeds.tape.venue import Job

COMMAND: Final = (sys.executable, "-c", "from strandline.cli.main import main; main()")
_ROOT: Final = Path(__file__).parents[3]
_ENDING_SECONDS: Final = 60


class VenueProcess:
    """The venue, until the block ends."""

    def __init__(self, module: str, job: Job | msgspec.Struct) -> None:
        command = [sys.executable, "-m", module, msgspec.json.encode(job).decode()]
        self._process = subprocess.Popen(
            command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        assert self._process.stdout is not None
        self.url = str(json.loads(self._process.stdout.readline())["url"])

    def ask(self, what: str, body: Mapping[str, Any] | None = None) -> Any:
        """The answer to `/control/<what>`; with a body, or to begin, it is a POST."""
        data = None if what == "status" else json.dumps(body or {}).encode()
        request = Request(f"{self.url}/control/{what}", data, {"content-type": "application/json"})
        with urlopen(request, timeout=600) as response:
            return json.load(response)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()


class Sidecar:
    """`strandline ingest`, which may be killed and started again; its log goes on in one file."""

    def __init__(self, environment: Mapping[str, str], log: Path, *options: str) -> None:
        self._environment = environment
        self._log = log
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*COMMAND, "ingest", *self._options], env=dict(self._environment), stderr=log
            )

    @property
    def ended(self) -> int | None:
        """Its exit code, if it has ended by itself."""
        assert self._process is not None
        return self._process.poll()

    @property
    def memory(self) -> int:
        """Bytes of memory that it holds."""
        assert self._process is not None
        return int(psutil.Process(self._process.pid).memory_info().rss)

    def kill(self) -> None:
        """SIGKILL: nothing that it holds is written."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """End it as an operator does; returns its exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(_ENDING_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")


def environment(database: URL, venue_url: str, home: Path) -> dict[str, str]:
    """The settings of the command: this database, this venue, and nothing of the machine's own."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("STRANDLINE_")}
    return inherited | {
        "STRANDLINE_HOME": str(home),
        "STRANDLINE_ENV_FILE": os.devnull,
        "STRANDLINE_DATABASE_URL": database.render_as_string(hide_password=False),
        "STRANDLINE_HYPERLIQUID_URL": venue_url,
        "STRANDLINE_JUPITER_URL": venue_url,
    }


def run_command(arguments: Sequence[str], settings: Mapping[str, str]) -> str:
    """Run `strandline …`, which must succeed; returns its output."""
    ended = subprocess.run(
        [*COMMAND, *arguments], env=dict(settings), capture_output=True, text=True, check=False, timeout=3_600
    )
    assert ended.returncode == 0, f"{arguments[0]} failed: {ended.stdout[-2000:]}{ended.stderr[-4000:]}"
    return ended.stdout
