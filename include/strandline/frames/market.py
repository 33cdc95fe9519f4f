"""Ticks and bars."""

from collections.abc import Iterator
from typing import Final

import pandas as pd  # type: ignore[import-untyped]

from strandline.frames.columns import BOOL, FLOAT, INSTANT, INT, Kind, frame
from strandline.frames.database import fetch
from strandline.frames.names import find_instrument
from strandline.frames.ranges import Instant, range_of
from strandline.model.bar import GapType
from strandline.model.errors import StrandlineError
from strandline.model.timeframe import Timeframe

MOST_TICKS: Final = 1_000_000
"""How many ticks one frame may have, unless it is asked for more: some hundred megabytes while it is made."""

_TICK: Final[dict[str, Kind]] = {
    "ts": INSTANT,
    "trade_id": INT,
    "price": FLOAT,
    "size": FLOAT,
    "side": ("buy", "sell"),
    "kind": ("trade", "price"),
    "source": ("stream", "rest", "archive"),
}
_BAR: Final[dict[str, Kind]] = {
    "ts": INSTANT,
    "open": FLOAT,
    "high": FLOAT,
    "low": FLOAT,
    "close": FLOAT,
    "volume": FLOAT,
    "quote_volume": FLOAT,
    "vwap": FLOAT,
    "ticks": INT,
    "source": ("stream", "rest", "archive"),
    "outage": BOOL,
    "dropped": INT,
    "repaired": BOOL,
    "gap_detected": BOOL,
    "gap_magnitude_pct": FLOAT,
    "gap_type": GapType,
    "revision": INT,
}
_SOURCE: Final = "CASE source WHEN 's' THEN 'stream' WHEN 'r' THEN 'rest' ELSE 'archive' END"
_FIRST_ID: Final = -(2**63)


def ticks(
    symbol: str, start: Instant, end: Instant, *, venue: str | None = None, limit: int = MOST_TICKS
) -> pd.DataFrame:
    """All trades and polled prices of the range, by time and id; refused if there are more than `limit`."""
    parts = []
    count = 0
    for part in ticks_in_chunks(symbol, start, end, venue=venue, rows=min(limit + 1, _CHUNK)):
        parts.append(part)
        count += len(part)
        if count > limit:
            raise StrandlineError(
                f"{symbol} has more than {limit:,} ticks in that range",
                "shorten it, take ticks_in_chunks, or give a higher limit if there is memory for them",
            )
    return pd.concat(parts) if parts else frame(_TICK, [])


_CHUNK: Final = 100_000


def ticks_in_chunks(
    symbol: str, start: Instant, end: Instant, *, venue: str | None = None, rows: int = _CHUNK
) -> Iterator[pd.DataFrame]:
    """The same in frames of at most so many rows, of which one at a time is in memory."""
    instrument, asked = find_instrument(symbol, venue), range_of(start, end)
    # Each part is a query of its own, which begins after the last tick of the part before: no transaction stays open.
    after, after_id = asked.start, _FIRST_ID
    while True:
        _, found = fetch(
            f"""
            SELECT ts, trade_id, price, size, CASE side WHEN 'b' THEN 'buy' WHEN 's' THEN 'sell' END,
                   CASE kind WHEN 't' THEN 'trade' ELSE 'price' END, {_SOURCE}
            FROM ticks
            WHERE instrument_id = :instrument AND ts >= :after AND ts < :end AND (ts, trade_id) > (:after, :after_id)
            ORDER BY ts, trade_id LIMIT :rows
            """,  # noqa: S608  a constant
            {
                "instrument": instrument.instrument_id,
                "after": after,
                "after_id": after_id,
                "end": asked.end,
                "rows": rows,
            },
        )
        if found:
            yield frame(_TICK, found)
            after, after_id = found[-1][:2]
        if len(found) < rows:
            return


def bars(symbol: str, timeframe: str, start: Instant, end: Instant, *, venue: str | None = None) -> pd.DataFrame:
    """The newest revision of every final bar that starts in the range."""
    instrument, asked = find_instrument(symbol, venue), range_of(start, end)
    _, rows = fetch(
        f"""
        SELECT ts, open, high, low, close, volume, quote_volume, vwap, ticks, {_SOURCE}, outage, dropped, repaired,
               gap_detected, gap_magnitude_pct, gap_type::text, revision
        FROM bars
        WHERE instrument_id = :instrument AND timeframe = :timeframe AND ts >= :start AND ts < :end ORDER BY ts
        """,  # noqa: S608  a constant
        {"instrument": instrument.instrument_id, "timeframe": timeframe_of(timeframe).value, **asked._asdict()},
    )
    return frame(_BAR, rows)


def timeframe_of(name: str) -> Timeframe:
    """The timeframe of this name."""
    try:
        return Timeframe(name)
    except ValueError as error:
        raise StrandlineError(f"there is no timeframe {name}", f"name one of {', '.join(Timeframe)}") from error
