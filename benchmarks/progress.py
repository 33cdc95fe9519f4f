"""Says on stderr how far a benchmark is, and what each round gave."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar


class Progress:
    """A bar in a terminal; the lines are printed anywhere."""

    def __init__(self, bar: Bar, task: TaskID) -> None:
        self._bar = bar
        self._task = task

    def doing(self, what: str) -> None:
        """Show what is being done."""
        self._bar.update(self._task, description=what)

    def say(self, line: str) -> None:
        """Print a line that stays."""
        self._bar.console.print(line)


@contextmanager
def progress() -> Iterator[Progress]:
    """Show the progress of what is done inside."""
    console = Console(file=sys.stderr, highlight=False)
    columns = (BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        yield Progress(bar, bar.add_task("starting", total=None))
