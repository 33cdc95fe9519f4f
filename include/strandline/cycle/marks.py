"""The venues' own prices, fetched by the cycle's first step and stored per cycle."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import Connection, text

from strandline.model.mark import Mark
from strandline.model.venue import VenueKey
from strandline.store.rows import from_row

_MAX_AGE: Final = timedelta(days=2)


class StoredMarks(NamedTuple):
    """The newest mark of each instrument, however old; of these the ones that this cycle fetched; and the newest by
    symbol, for assets that are held as cash, as SOL is for gas."""

    newest: Mapping[int, Mark]
    of_cycle: Mapping[int, Mark]
    assets: Mapping[str, Mark]


def tokens_to_mark(connection: Connection, venue: VenueKey) -> Sequence[str]:
    """The venue's tokens that a row may trade or the account holds."""
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


def store_marks(connection: Connection, cycle: datetime, venue: VenueKey, marks: Mapping[str, Mark]) -> int:
    """Store the marks by token; one that is stored for this cycle stays, so that a retry decides on the same prices."""
    stored = 0
    for token, mark in marks.items():
        stored += connection.execute(
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
                "token": token,
                "price": mark.price.decimal,
                "source": mark.source,
                "observed_at": mark.observed_at,
            },
        ).rowcount
    return stored


def read_marks(connection: Connection, cycle: datetime) -> StoredMarks:
    """The marks stored up to this cycle."""
    rows = connection.execute(
        text("""
        SELECT DISTINCT ON (instrument_id)
          instrument_id, symbol, price, source, observed_at, cycle_t,
          EXISTS (SELECT FROM venue_accounts a
                  WHERE (a.token_chain, a.book_id) = (i.token_chain, i.book_id) AND NOT margined) AS is_spot
        FROM marks JOIN instruments i USING (instrument_id)
        WHERE cycle_t <= :cycle AND cycle_t > :oldest AND NOT voided
        ORDER BY instrument_id, cycle_t DESC
        """),
        {"cycle": cycle, "oldest": cycle - _MAX_AGE},
    )
    newest, of_cycle, assets = {}, {}, {}
    for row in rows:
        mark = from_row(Mark, row)
        newest[row.instrument_id] = mark
        if row.cycle_t == cycle:
            of_cycle[row.instrument_id] = mark
        if row.is_spot:
            assets[row.symbol] = mark
    return StoredMarks(newest, of_cycle, assets)
