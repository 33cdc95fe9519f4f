"""What the person sees: messages, and below them, on a terminal, a table that is kept up to date."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from strandline.cli.up.monitor import State, Status

_STYLES: Final = {State.HEALTHY: "green", State.DOWN: "red", State.SILENT: "red", State.STARTING: "yellow"}


class Screen:
    """Takes messages from any thread."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, markup=False)

    def report(self, message: str) -> None:
        """Print one message, with the time of day."""
        line = f"{time.strftime('%H:%M:%S')}  {message}"
        if self._console.is_terminal:
            self._console.print(line, soft_wrap=True)
        else:
            print(line, flush=True)

    @contextmanager
    def table(self, statuses: Callable[[], Mapping[str, Status]]) -> Iterator[None]:
        """Show a table below the messages during the block; without a terminal there are only messages."""
        if not self._console.is_terminal:
            yield
            return
        with Live(get_renderable=lambda: _table(statuses()), console=self._console, refresh_per_second=2):
            yield


def _table(statuses: Mapping[str, Status]) -> RenderableType:
    if not statuses:
        return ""
    table = Table("component", "state", "since", "restarts", "pid", box=None, pad_edge=False)
    for status in statuses.values():
        since = time.strftime("%H:%M:%S", time.localtime(status.since))
        state = Text(status.state, style=_STYLES.get(status.state, "dim"))
        table.add_row(status.name, state, since, str(status.restarts), str(status.pid or ""))
    return table
