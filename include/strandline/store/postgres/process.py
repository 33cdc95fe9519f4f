"""Recognises the server's process: its number may belong to another process by now."""

import contextlib
import re
import subprocess
from pathlib import Path


def is_server_of(data: Path, pid: int) -> bool:
    """Return whether the process lives and works in the data directory, as a Postgres server does."""
    process = Path("/proc") / str(pid)
    try:
        return (process / "cwd").samefile(data)
    except PermissionError:
        # A server that root started as this user has one right more than the user, who may not read its links.
        return _is_living_postgres(process)
    except OSError:
        return not Path("/proc/self").exists() and _is_named_postgres(pid)


def _is_living_postgres(process: Path) -> bool:
    with contextlib.suppress(OSError):
        # A dead process that nobody has collected is in state Z.
        return re.match(r"\d+ \(postgres\) [^ZX] ", (process / "stat").read_text()) is not None
    return False


def _is_named_postgres(pid: int) -> bool:
    """Ask `ps`, where there is no /proc."""
    output = subprocess.run(  # noqa: S603 - the argument is a number
        ["ps", "-o", "comm=", "-p", str(pid)],  # noqa: S607 - `ps` is where the system keeps it
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    return Path(output.stdout.strip()).name == "postgres"
