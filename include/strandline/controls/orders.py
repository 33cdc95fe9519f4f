"""An order of a person: its row in `controls`, and its strand."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, text

from strandline.cycle.context import Context
from strandline.ledger.strands import SYSTEM, append
from strandline.model.control import Control
from strandline.model.errors import StrandlineError
from strandline.model.exact import Ratio
from strandline.model.ids import derived_id
from strandline.model.strand import StrandDraft, StrandKind
from strandline.model.venue import VenueKey


@dataclass(frozen=True)
class Signed:
    """Who orders it, and why."""

    person: str
    reason: str

    def __post_init__(self) -> None:
        if not self.person.strip() or not self.reason.strip():
            raise StrandlineError(
                "an order needs a name and a reason", "say why in words that others understand later; nothing was done"
            )


class Done(NamedTuple):
    """What came of an order: whether it changed anything, and what to tell the person."""

    changed: bool
    message: str


@dataclass(frozen=True)
class Subject:
    """What an order is about: a row, a venue, or everything."""

    position_id: UUID | None = None
    token_contract: str | None = None
    venue: VenueKey | None = None
    weight: Ratio | None = None


EVERYTHING = Subject()


def give(
    connection: Connection,
    context: Context,
    control: Control,
    signed: Signed,
    about: Subject = EVERYTHING,
    facts: Mapping[str, str] | None = None,
) -> None:
    """Store the order and its strand, with facts beside who and why. Call it last: it locks the head of the chain."""
    now = context.clock()
    number = connection.execute(
        text("""
        INSERT INTO controls (control, position_id, token_chain, book_id, weight, person, reason, given_at)
        VALUES (:control, :position_id, :token_chain, :book_id, :weight, :person, :reason, :now) RETURNING control_no
        """),
        {
            "control": control.value,
            "position_id": about.position_id,
            "token_chain": about.venue.token_chain if about.venue else None,
            "book_id": about.venue.book_id if about.venue else None,
            "weight": about.weight.decimal if about.weight else None,
            "person": signed.person,
            "reason": signed.reason,
            "now": now,
        },
    ).scalar_one()
    named = {
        "control_no": number,
        "person": signed.person,
        "reason": signed.reason,
        "venue": about.venue,
        "weight": about.weight,
        **(facts or {}),
    }
    strand = StrandDraft(
        strand_id=derived_id("control", number, now.astimezone(UTC).isoformat()),
        kind=StrandKind.CONTROL,
        ts=now,
        position_id=about.position_id,
        token_contract=about.token_contract,
        reasons=(control.value,),
        inputs={name: str(value) for name, value in named.items() if value is not None},
        code_version=context.code_version,
        strategy_hash=context.strategy.hash,
    )
    append(connection, SYSTEM, [strand])
