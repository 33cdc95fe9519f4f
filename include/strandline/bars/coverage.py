"""What the bars of one minute cover. It reads bars along their key, and of the ticks the last minutes only."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from math import ceil
from typing import Any, Final

from sqlalchemy import Connection, Row, text

MINUTE: Final = timedelta(minutes=1)
_LATE: Final = timedelta(minutes=3)

_SERIES: Final = text("""
    SELECT i.instrument_id, i.token_chain || '/' || i.book_id AS venue, i.symbol, i.token_contract,
           first.ts AS first_bar, newest.ts AS newest_bar, tick.ts AS newest_tick, compared.compared_at
    FROM instruments i
    LEFT JOIN candle_comparisons AS compared USING (instrument_id)
    CROSS JOIN LATERAL (SELECT b.ts FROM bars b WHERE (b.instrument_id, b.timeframe) = (i.instrument_id, '1m')
                        ORDER BY b.ts LIMIT 1) AS first
    CROSS JOIN LATERAL (SELECT b.ts FROM bars b WHERE (b.instrument_id, b.timeframe) = (i.instrument_id, '1m')
                        ORDER BY b.ts DESC LIMIT 1) AS newest
    LEFT JOIN (SELECT instrument_id, max(ts) AS ts FROM ticks WHERE ts > :late AND ts <= :as_of GROUP BY instrument_id
              ) AS tick USING (instrument_id)
    WHERE CAST(:names AS text[]) IS NULL OR upper(i.symbol) = ANY (:names) OR upper(i.token_contract) = ANY (:names)
    ORDER BY i.token_chain, i.book_id, i.symbol
""")
_BUCKETS: Final = text("""
    SELECT b.instrument_id, floor(extract(epoch FROM b.ts - :since) / :seconds)::integer AS bucket,
           count(*) AS bars,
           count(*) FILTER (WHERE (b.outage OR b.dropped > 0) AND NOT b.repaired) AS incomplete,
           count(*) FILTER (WHERE b.repaired) AS repaired
    FROM unnest(CAST(:instruments AS integer[])) AS chosen(instrument_id)
    JOIN bars b ON b.instrument_id = chosen.instrument_id AND b.timeframe = '1m' AND b.ts >= :since AND b.ts < :until
    GROUP BY 1, 2 ORDER BY 1, 2
""")


@dataclass(frozen=True)
class Span:
    """A time of whole minutes in buckets of the same number of minutes; the last may be shorter."""

    since: datetime
    until: datetime
    bucket: timedelta

    @classmethod
    def of(cls, since: datetime, until: datetime, most: int) -> "Span":
        """The span in at most so many buckets."""
        return cls(since, until, MINUTE * ceil((until - since) / MINUTE / most))

    @property
    def buckets(self) -> list[tuple[datetime, datetime]]:
        """The start and the end of each."""
        count = ceil((self.until - self.since) / self.bucket)
        starts = [self.since + self.bucket * number for number in range(count)]
        return [(start, min(start + self.bucket, self.until)) for start in starts]


@dataclass(frozen=True)
class Coverage:
    """What there is of one instrument; counts are of minutes within the span.

    `expected` are the minutes from its first to its newest bar, `incomplete` have a bar of which trades may be missing.
    """

    instrument_id: int
    venue: str
    symbol: str
    contract: str
    first_bar: datetime
    newest_at: datetime
    bars: int
    expected: int
    incomplete: int
    repaired: int
    compared_at: datetime | None
    """When its bars were last compared with the venue's candles."""
    shares: tuple[float | None, ...]
    """The share of each bucket's minutes that have a bar; None before the first bar."""

    @property
    def missing(self) -> int:
        """Minutes without a bar."""
        return self.expected - self.bars


def read_coverage(
    connection: Connection, span: Span, as_of: datetime, symbols: Collection[str] | None = None
) -> list[Coverage]:
    """The coverage of every instrument that has bars, or of those with these symbols or contracts, in any case."""
    names = None if symbols is None else [symbol.upper() for symbol in symbols]
    series = connection.execute(_SERIES, {"late": as_of - _LATE, "as_of": as_of, "names": names}).all()
    rows = connection.execute(
        _BUCKETS,
        {
            "instruments": [one.instrument_id for one in series],
            "since": span.since,
            "until": span.until,
            "seconds": span.bucket.total_seconds(),
        },
    )
    counted = {number: list(found) for number, found in groupby(rows, key=lambda row: row.instrument_id)}
    return [_coverage(one, counted.get(one.instrument_id, []), span) for one in series]


def _coverage(series: Row[Any], counted: list[Row[Any]], span: Span) -> Coverage:
    bars = {row.bucket: row.bars for row in counted}
    newest_end = series.newest_bar + MINUTE
    return Coverage(
        instrument_id=series.instrument_id,
        venue=series.venue,
        symbol=series.symbol,
        contract=series.token_contract,
        first_bar=series.first_bar,
        newest_at=max(newest_end, series.newest_tick or newest_end),
        bars=sum(bars.values()),
        expected=_minutes(max(span.since, series.first_bar), min(span.until, newest_end)),
        incomplete=sum(row.incomplete for row in counted),
        repaired=sum(row.repaired for row in counted),
        compared_at=series.compared_at,
        shares=tuple(
            bars.get(number, 0) / _minutes(max(start, series.first_bar), end) if end > series.first_bar else None
            for number, (start, end) in enumerate(span.buckets)
        ),
    )


def _minutes(start: datetime, end: datetime) -> int:
    return max(0, (end - start) // MINUTE)
