"""The venues' own prices, fetched once by a cycle's first step and kept as what the cycle saw."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from strandline.model.mark import Mark
from strandline.model.venue import VenueKey
from strandline.store.rows import from_row

_LOOKED_BACK: Final = timedelta(days=2)


class SeenMark(Mark, frozen=True, kw_only=True):
    """A mark as stored, with what its instrument is called where it is held as cash, as SOL is for gas."""

    venue: VenueKey
    symbol: str


def tokens_to_mark(connection: Connection, venue: VenueKey) -> Sequence[str]:
    """Everything of this venue that a row may trade or the account may hold."""
    return connection.scalars(
        text("""
        SELECT token_contract FROM instruments i
        WHERE (token_chain, book_id) = (:chain, :book) AND (
          EXISTS (SELECT FROM positions p WHERE desired_status <> 'archived'
                  AND (p.token_chain, p.book_id, p.token_contract) = (i.token_chain, i.book_id, i.token_contract))
          OR symbol IN (SELECT asset FROM cash c WHERE (c.token_chain, c.book_id) = (i.token_chain, i.book_id)))
        ORDER BY 1
        """),
        {"chain": venue.token_chain, "book": venue.book_id},
    ).all()


def keep_marks(connection: Connection, cycle: datetime, venue: VenueKey, marks: Iterable[Mark]) -> int:
    """Store them; what the cycle has seen already stays, so that a retry decides on the same prices."""
    kept = 0
    for mark in marks:
        kept += connection.execute(
            text("""
            INSERT INTO marks (cycle_t, instrument_id, price, source, observed_at)
            SELECT :cycle, instrument_id, :price, :source, :observed_at FROM instruments
            WHERE (token_chain, book_id, token_contract) = (:chain, :book, :token)
            ON CONFLICT DO NOTHING
            """),
            {
                "cycle": cycle,
                "chain": venue.token_chain,
                "book": venue.book_id,
                "token": mark.token_contract,
                "price": mark.price.decimal,
                "source": mark.source,
                "observed_at": mark.observed_at,
            },
        ).rowcount
    return kept


def newest_marks(connection: Connection, cycle: datetime) -> Mapping[int, SeenMark]:
    """For each instrument the newest that was seen up to this cycle, however old."""
    rows = connection.execute(
        text("""
        SELECT DISTINCT ON (instrument_id)
          instrument_id, token_chain, book_id, token_contract, symbol, price, source, observed_at
        FROM marks JOIN instruments USING (instrument_id)
        WHERE cycle_t <= :cycle AND cycle_t > :oldest
        ORDER BY instrument_id, cycle_t DESC
        """),
        {"cycle": cycle, "oldest": cycle - _LOOKED_BACK},
    )
    return {row.instrument_id: from_row(SeenMark, row) for row in rows}
