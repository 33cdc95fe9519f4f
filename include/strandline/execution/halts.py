"""The halt that a person has ordered, read again before every order."""

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, text

from strandline.model.control import Control, Halt
from strandline.model.intent import ExecutionIntent
from strandline.model.rule import Rule


class OrderedHalt(NamedTuple):
    """What is halted, by whom, why and since when."""

    halt: Halt
    person: str
    reason: str
    since: datetime

    def __str__(self) -> str:
        what = "every order" if self.halt is Halt.ALL else "entries"
        return f"{what} halted by {self.person} since {self.since:%Y-%m-%d %H:%M:%SZ}: {self.reason}"

    def stops(self, intent: ExecutionIntent) -> bool:
        """Whether no order may be made of this intent; a person's own exit always may."""
        return intent.rule is not Rule.MANUAL and (self.halt is Halt.ALL or not intent.reduce_only)


def read_halt(connection: Connection) -> OrderedHalt | None:
    """Read the halt in force."""
    row = connection.execute(
        text("""
        SELECT control, person, reason, given_at FROM controls WHERE control IN ('halt', 'halt_all', 'resume')
        ORDER BY control_no DESC LIMIT 1
        """)
    ).one_or_none()
    if row is None or row.control == Control.RESUME:
        return None
    return OrderedHalt(Halt(row.control), row.person, row.reason, row.given_at)
