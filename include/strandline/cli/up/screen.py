"""What the person sees: messages, and below them, on a terminal, a table that is kept up to date."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from strandline.cli.up.supervised import State, Supervised

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
    def table(self, running: Callable[[], Sequence[Supervised]]) -> Iterator[None]:
        """Show a table below the messages during the block; without a terminal there are only messages."""
        if not self._console.is_terminal:
            yield
            return
        with Live(get_renderable=lambda: _table(running()), console=self._console, refresh_per_second=2):
            yield


def _table(running: Sequence[Supervised]) -> RenderableType:
    if not running:
        return ""
    table = Table("component", "state", "since", "restarts", "pid", box=None, pad_edge=False)
    for one in running:
        since = time.strftime("%H:%M:%S", time.localtime(one.since))
        state = Text(one.state, style=_STYLES[one.state])
        table.add_row(one.name, state, since, str(one.restarts), str(one.pid or ""))
    return table
