"""Finds the row that a person names."""

from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection, text

from strandline.model.errors import StrandlineError
from strandline.model.exact import Ratio
from strandline.model.position import DesiredStatus, PositionKey
from strandline.model.record import Record
from strandline.model.timeframe import Timeframe
from strandline.model.venue import VenueKey
from strandline.store.rows import from_row
from strandline.venues.registry import venues


class NamedRow(Record, frozen=True, kw_only=True):
    """A row as it is stored, with the symbol of its instrument once that is registered."""

    position_id: UUID
    key: PositionKey
    symbol: str | None
    desired_status: DesiredStatus
    weight: Ratio

    def __str__(self) -> str:
        return str(self.key)

    @property
    def short(self) -> str:
        """Symbol and timeframe."""
        return f"{self.symbol or self.key.token_contract} {self.key.timeframe}"


class _Parts(NamedTuple):
    venue: str
    token: str
    timeframe: str


def find_row(connection: Connection, name: str) -> NamedRow:
    """Find the row by its id, by venue/token/timeframe, or by token/timeframe where only one venue has it; lock it.

    A token may be given by its symbol, and in any case where no two differ by it alone.
    """
    found = list(_rows(connection, name.strip()))
    exact = [row for row in found if str(row.key) == name.strip()]
    if len(exact or found) == 1:
        return (exact or found)[0]
    if found:
        raise StrandlineError(
            f"{name} may be any of {', '.join(str(row.key) for row in found)}", "give the whole name of one"
        )
    raise StrandlineError(
        f"there is no position {name}",
        "give chain/book/token/timeframe as `strandline positions list` prints it, or token/timeframe",
    )


def parse_venue(name: str) -> VenueKey:
    """Return the venue of this name: its key, or its short name."""
    wanted = name.strip().lower()
    for venue in venues():
        if wanted in (str(venue.key), venue.name.lower(), venue.key.token_chain):
            return venue.key
    raise StrandlineError(f"there is no venue {name}", f"use one of {_listed(venue.key for venue in venues())}")


def parse_timeframe(name: str) -> Timeframe:
    """Return the timeframe of this name."""
    try:
        return Timeframe(name.strip().lower())
    except ValueError:
        raise StrandlineError(f"there is no timeframe {name}", f"use one of {_listed(Timeframe)}") from None


def _listed(names: Iterable[object]) -> str:
    return ", ".join(map(str, names))


def _rows(connection: Connection, name: str) -> Iterable[NamedRow]:
    *place, timeframe = name.split("/")
    venue, token = "/".join(place[:2]), "/".join(place[2:])
    if len(place) == 1:
        venue, token = "", place[0]
    rows = connection.execute(
        text("""
        SELECT p.*, i.symbol FROM positions p LEFT JOIN instruments i USING (token_chain, book_id, token_contract)
        WHERE p.position_id::text = lower(:name) OR (
          p.timeframe::text = lower(:timeframe) AND :venue IN ('', p.token_chain || '/' || p.book_id)
          AND lower(:token) IN (lower(p.token_contract), lower(i.symbol)))
        ORDER BY p.token_chain, p.book_id, p.token_contract, p.timeframe FOR NO KEY UPDATE OF p
        """),
        {"name": name, "venue": venue.lower(), "token": token, "timeframe": timeframe},
    )
    for row in rows:
        yield from_row(NamedRow, row)
