"""What is held and was traded, and why."""

from typing import Final

import pandas as pd  # type: ignore[import-untyped]

from strandline.frames.columns import DECIMAL, FLOAT, INSTANT, INT, TEXT, Kind, frame
from strandline.frames.database import fetch
from strandline.frames.names import find_instrument
from strandline.frames.ranges import Instant, range_of
from strandline.model.timeframe import Timeframe

_POSITION: Final[dict[str, Kind]] = {
    "position_id": TEXT,
    "venue": TEXT,
    "symbol": TEXT,
    "token_contract": TEXT,
    "timeframe": Timeframe,
    "status": ("dormant", "watchlist", "active", "paused", "archived"),
    "weight": DECIMAL,
    "trade_no": INT,
    "quantity": DECIMAL,
    "average_entry": DECIMAL,
    "invested": DECIMAL,
    "extracted": DECIMAL,
    "realised_pnl": DECIMAL,
    "fees": DECIMAL,
    "first_fill_at": INSTANT,
    "last_fill_at": INSTANT,
}
_FILL: Final[dict[str, Kind]] = {
    "ts": INSTANT,
    "venue": TEXT,
    "symbol": TEXT,
    "token_contract": TEXT,
    "timeframe": Timeframe,
    "side": ("buy", "sell"),
    "price": DECIMAL,
    "quantity": DECIMAL,
    "fee": DECIMAL,
    "cause": ("order", "liquidation", "deleveraging", "manual"),
    "position_id": TEXT,
    "order_id": TEXT,
    "venue_fill_id": TEXT,
}
_STRAND: Final[dict[str, Kind]] = {
    "ts": INSTANT,
    "chain": TEXT,
    "seq": INT,
    "kind": ("decision", "hold", "outcome", "reconciliation", "control"),
    "token": TEXT,
    "symbol": TEXT,
    "decision_type": TEXT,
    "size_frac": FLOAT,
    "a_value": FLOAT,
    "e_value": FLOAT,
    "reasons": "object",
    "cycle": INSTANT,
    "strand_id": TEXT,
    "parent": TEXT,
    "body": TEXT,
}


def positions(symbol: str | None = None, *, venue: str | None = None, exact: bool = False) -> pd.DataFrame:
    """Every row with what it holds now of its open or last trade."""
    _, rows = fetch(
        """
        SELECT p.position_id::text, p.token_chain || '/' || p.book_id, i.symbol, p.token_contract, p.timeframe::text,
               p.status::text, p.weight, COALESCE(h.trade_no, 0), COALESCE(h.quantity, 0), h.average_entry,
               COALESCE(h.invested, 0), COALESCE(h.extracted, 0), COALESCE(h.realised_pnl, 0), COALESCE(h.fees, 0),
               h.first_fill_at, h.last_fill_at
        FROM position_rows p LEFT JOIN holdings h USING (position_id)
        LEFT JOIN instruments i USING (token_chain, book_id, token_contract)
        WHERE CAST(:token_contract AS text) IS NULL
           OR (p.token_chain, p.book_id, p.token_contract) = (:token_chain, :book_id, :token_contract)
        ORDER BY p.token_chain, p.book_id, i.symbol, p.timeframe
        """,
        _key(symbol, venue),
    )
    return frame(_POSITION, rows, index=None, exact=exact)


def fills(
    start: Instant, end: Instant, *, symbol: str | None = None, venue: str | None = None, exact: bool = False
) -> pd.DataFrame:
    """The fills of the range, in the order in which they were booked, each with the row that asked for it."""
    _, rows = fetch(
        """
        SELECT f.ts, f.token_chain || '/' || f.book_id, i.symbol, f.token_contract, p.timeframe::text, f.side::text,
               f.price, f.quantity, f.fee, f.cause::text, r.position_id::text, f.order_id::text, f.venue_fill_id
        FROM fills f LEFT JOIN row_fills r USING (booked_no) LEFT JOIN positions p ON p.position_id = r.position_id
        LEFT JOIN instruments i
          ON (i.token_chain, i.book_id, i.token_contract) = (f.token_chain, f.book_id, f.token_contract)
        WHERE f.ts >= :start AND f.ts < :end
          AND (CAST(:token_contract AS text) IS NULL
               OR (f.token_chain, f.book_id, f.token_contract) = (:token_chain, :book_id, :token_contract))
        ORDER BY f.booked_no
        """,
        {**range_of(start, end)._asdict(), **_key(symbol, venue)},
    )
    return frame(_FILL, rows, exact=exact)


def strands(start: Instant, end: Instant, *, symbol: str | None = None, venue: str | None = None) -> pd.DataFrame:
    """The strands of the range; `body` is the whole record, in JSON."""
    _, rows = fetch(
        """
        SELECT s.ts, s.chain, s.seq, s.kind::text, r.token, r.symbol, r.decision_type, r.size_frac, r.a_value,
               r.e_value, r.reasons, s.cycle_t, s.strand_id::text, s.parent::text, s.body
        FROM strands s JOIN strand_records r USING (strand_id)
        WHERE s.ts >= :start AND s.ts < :end
          AND (CAST(:token_contract AS text) IS NULL
               OR (s.chain, r.token) = (CAST(:token_chain AS text) || '/' || :book_id, :token_contract))
        ORDER BY s.ts, s.chain, s.seq
        """,
        {**range_of(start, end)._asdict(), **_key(symbol, venue)},
    )
    return frame(_STRAND, rows)


def _key(symbol: str | None, venue: str | None) -> dict[str, str | None]:
    if symbol is None:
        return {"token_chain": None, "book_id": None, "token_contract": None}
    return dict(find_instrument(symbol, venue).key)
