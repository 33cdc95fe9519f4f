"""Appends strands to their chain, and reads where a cycle's strands end."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from msgspec.structs import asdict
from sqlalchemy import Connection, text

from strandline.model.canonical import canonical_bytes
from strandline.model.strand import GENESIS, Strand, StrandDraft

SYSTEM: Final = "system"
"""The chain of what concerns the whole: orders of people, and breakers."""


class ChainEnd(NamedTuple):
    """The number of a cycle's strands in a chain, and the last one's sequence number and hash."""

    strands: int
    last_seq: int | None
    last_hash: str | None


def append(connection: Connection, chain: str, drafts: Sequence[StrandDraft]) -> tuple[Strand, ...]:
    """Append the drafts that are not stored yet, and return them as strands.

    It locks the chain's head until the transaction ends. Call it last in a transaction: in another order two processes
    could deadlock.
    """
    if not drafts:
        return ()
    connection.execute(
        text("INSERT INTO strand_heads VALUES (:chain, 0, :hash) ON CONFLICT DO NOTHING"),
        {"chain": chain, "hash": GENESIS},
    )
    head = connection.execute(
        text("SELECT seq, hash FROM strand_heads WHERE chain = :chain FOR UPDATE"), {"chain": chain}
    ).one()
    stored = set(
        connection.scalars(
            text("SELECT strand_id FROM strands WHERE strand_id = ANY(:ids)"),
            {"ids": [draft.strand_id for draft in drafts]},
        )
    )
    added: list[Strand] = []
    seq, previous = head.seq, head.hash
    for draft in drafts:
        if draft.strand_id not in stored:
            strand = Strand(chain=chain, seq=seq + 1, previous=previous, **asdict(draft))
            connection.execute(
                text("INSERT INTO strands (body) VALUES (:body)"), {"body": canonical_bytes(strand).decode()}
            )
            seq, previous = strand.seq, strand.hash
            added.append(strand)
    return tuple(added)


def of_cycle(connection: Connection, cycle: datetime, chain: str) -> ChainEnd:
    """Read the end of the cycle's strands in this chain, later results of its intents included."""
    row = connection.execute(
        text("""
        SELECT seq, hash, count(*) OVER () AS strands FROM strands WHERE chain = :chain AND cycle_t = :cycle
        ORDER BY seq DESC LIMIT 1
        """),
        {"chain": chain, "cycle": cycle},
    ).one_or_none()
    return ChainEnd(0, None, None) if row is None else ChainEnd(row.strands, row.seq, row.hash)
