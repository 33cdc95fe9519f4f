"""Checks the machine: Python, packages, disk, port, clock."""

import contextlib
import errno
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from importlib import metadata
from pathlib import Path
from typing import Final
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from packaging.requirements import Requirement
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from strandline.cli.doctor.check import Check, failed, fine, skipped, warned
from strandline.settings import Mode, Settings
from strandline.store.connect import connect, database_url
from strandline.store.roles import Role

LOCK: Final = Path(__file__).parents[4] / "requirements.txt"
_GIB: Final = 1024**3
_DISK_NEEDED: Final = 1 * _GIB
_DISK_ADVISED: Final = 5 * _GIB
_CLOCK_TOLERANCE_SECONDS: Final = 2.0
_SECONDS_FOR_AIRFLOW: Final = 30.0
"""Just after its start an api-server may answer nobody for several seconds."""


def python() -> Check:
    """Check that the locked packages are made for this Python."""
    version = ".".join(map(str, sys.version_info[:3]))
    if (3, 11) <= sys.version_info < (3, 14):
        return fine("python", f"{version} at {sys.executable}")
    return failed("python", f"this is Python {version}", "use 3.11, 3.12 or 3.13: make setup PYTHON=/path/to/python3")


def packages(lock: Path = LOCK) -> Check:
    """Check that the installed packages are the locked ones."""
    if not lock.is_file():
        return skipped("packages", f"there is no {lock.name} to compare with: this is not a checkout")
    locked = [Requirement(line.rstrip(" \\")) for line in lock.read_text().splitlines() if "==" in line]
    wanted = [requirement for requirement in locked if not requirement.marker or requirement.marker.evaluate()]
    wrong = [fault for fault in map(_difference, wanted) if fault]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        return failed("packages", ", ".join(wrong[:3]) + more, "run: make clean setup")
    return fine("packages", f"{len(wanted)} as locked")


def _difference(wanted: Requirement) -> str | None:
    try:
        version = metadata.version(wanted.name)
    except metadata.PackageNotFoundError:
        return f"{wanted.name} is missing"
    return None if version in wanted.specifier else f"{wanted.name} is {version}, locked is {wanted.specifier}"


def disk(settings: Settings) -> Check:
    """Check that there is room for ticks, logs and the spool."""
    existing = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    found = f"{free / _GIB:.1f} GiB free for {settings.home}"
    if free < _DISK_NEEDED:
        return failed("disk", found, "make room, or move it: STRANDLINE_HOME")
    if free < _DISK_ADVISED:
        return warned("disk", found, f"a busy day of ticks takes gigabytes; {_DISK_ADVISED // _GIB} GiB are advised")
    return fine("disk", found)


def port(settings: Settings) -> Check:
    """Check that Airflow's port is free, or that Airflow responds there."""
    number = settings.airflow_port
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", number))
        except OSError as error:
            if error.errno == errno.EADDRINUSE and _airflow_responds(number):
                return fine("port", f"{number}: Airflow responds there")
            return failed(
                "port",
                f"{number} cannot be used ({error.strerror})",
                "end what listens there, or choose another: STRANDLINE_AIRFLOW_PORT",
            )
    return fine("port", f"{number} is free")


def _airflow_responds(number: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{number}/api/v2/monitor/health", timeout=_SECONDS_FOR_AIRFLOW) as response:
            return b"metadatabase" in response.read(4096)
    except OSError:
        return False


def clock(settings: Settings) -> Check:
    """Compare this clock with the database's and, where venues are real, with theirs."""
    clocks = {}
    with contextlib.suppress(SQLAlchemyError):  # the check of the database reports it
        clocks["the database's"] = _database_time(settings) - time.time()
    for title, url in _venue_clocks(settings):
        try:
            clocks[f"{title}'s"] = _http_time(url) - time.time()
        except (OSError, ValueError, TypeError):
            return warned("clock", f"{url} did not respond with the time", "check the network, and run this again")
    if not clocks:
        return skipped("clock", "there is no other clock to compare with until the database runs")
    off = {whose: by for whose, by in clocks.items() if abs(by) > _CLOCK_TOLERANCE_SECONDS}
    if off:
        found = " and ".join(
            f"{abs(by):.1f} s {'behind' if by > 0 else 'ahead of'} {whose}" for whose, by in off.items()
        )
        return failed("clock", f"this clock is {found}", "synchronise it (timedatectl set-ntp true)")
    return fine("clock", f"agrees with {' and '.join(clocks)} clock")


def _venue_clocks(settings: Settings) -> Iterator[tuple[str, str]]:
    """The title and the URL of each real venue whose responses carry its time."""
    if settings.mode is Mode.SIM:
        return
    for venue in settings.venues:
        for setting in venue.fields:
            url = settings.venue_text(setting.name) if setting.has_clock else None
            if url:
                yield venue.title, url


def _database_time(settings: Settings) -> float:
    engine = connect(database_url(settings, Role.UI), Role.UI)
    try:
        with engine.connect() as connection:
            return float(connection.scalar(text("SELECT extract(epoch FROM clock_timestamp())")) or 0)
    finally:
        engine.dispose()


def _http_time(url: str) -> float:
    """The time in the Date header; half a second is added, because it is cut to whole seconds."""
    try:
        with urlopen(Request(url, method="HEAD"), timeout=5) as response:  # noqa: S310  settings take only http(s) URLs
            date = response.headers["Date"]
    except HTTPError as refusal:
        date = refusal.headers["Date"]
    return parsedate_to_datetime(date).timestamp() + 0.5
