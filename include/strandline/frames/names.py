"""Finds instruments by the names that people use."""

from difflib import get_close_matches
from typing import NamedTuple

from strandline.frames.database import fetch
from strandline.model.errors import StrandlineError


class Instrument(NamedTuple):
    """An instrument, and its key among the positions."""

    instrument_id: int
    venue: str
    token_contract: str
    symbol: str

    @property
    def key(self) -> dict[str, str]:
        """The values of the columns that name it in other tables."""
        token_chain, book_id = self.venue.split("/")
        return {"token_chain": token_chain, "book_id": book_id, "token_contract": self.token_contract}


def find_instrument(symbol: str, venue: str | None = None) -> Instrument:
    """The instrument of this symbol or contract, in any case; `venue` where several venues have one of that name."""
    _, rows = fetch(
        "SELECT instrument_id, token_chain || '/' || book_id, token_contract, symbol FROM instruments ORDER BY 1", {}
    )
    every = [Instrument(*row) for row in rows if venue in (None, row[1])]
    found = [one for one in every if symbol in (one.token_contract, one.symbol)] or [
        one for one in every if symbol.lower() in (one.token_contract.lower(), one.symbol.lower())
    ]
    if not found:
        raise _unknown(symbol, venue, every, sorted({row[1] for row in rows}))
    if len(found) > 1:
        where = ", ".join(f"{one.venue} {one.token_contract}" for one in found)
        raise StrandlineError(f"several instruments are called {symbol}: {where}", "name its venue, or its contract")
    return found[0]


def _unknown(symbol: str, venue: str | None, every: list[Instrument], venues: list[str]) -> StrandlineError:
    if venue is not None and venue not in venues:
        return StrandlineError(f"there is no venue {venue}", f"name one of {', '.join(venues) or 'none yet'}")
    names = {one.symbol.lower(): one.symbol for one in every}
    near = [names[name] for name in get_close_matches(symbol.lower(), names, n=5, cutoff=0.4)]
    at = f" at {venue}" if venue else ""
    return StrandlineError(
        f"there is no instrument {symbol}{at}",
        f"near it: {', '.join(near)}" if near else f"there are {len(every)}, and none of a name like it",
    )
