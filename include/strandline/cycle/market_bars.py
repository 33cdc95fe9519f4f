"""Reads the bars that the market's series are made of."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, text

from strandline.engine import FIRST_LEVEL, IndexBar, MemberBar, index_bars
from strandline.model.regime import RegimeSeries
from strandline.model.timeframe import Timeframe
from strandline.venues.registry import venues

Members = Mapping[str, int]
"""Ids of instruments by the name of the member."""


class MarketBar(NamedTuple):
    """A bar of a series, and the revision of each member's bar that it was made of."""

    bar: IndexBar
    revisions: Mapping[str, int]


class _TradedBar(NamedTuple):
    """A bar as a member traded it."""

    ts: datetime
    name: str
    revision: int
    volume: float | None
    bar: MemberBar


def members_of(connection: Connection, series: RegimeSeries, index: Sequence[str]) -> Members:
    """The members of a series, as far as they are known at the venue that has instruments which are always watched."""
    venue = next((venue for venue in venues() if venue.always_watched), None)
    if venue is None:
        return {}
    rows = connection.execute(
        text("""
        SELECT token_contract, instrument_id FROM instruments
        WHERE (token_chain, book_id) = (:chain, :book) AND token_contract = ANY (:names) ORDER BY 1
        """),
        {
            "chain": venue.key.token_chain,
            "book": venue.key.book_id,
            "names": list(index) if series is RegimeSeries.INDEX else [series.value],
        },
    )
    return {row.token_contract: row.instrument_id for row in rows}


def first_change(
    connection: Connection, members: Members, timeframe: Timeframe, after: datetime, known_seq: int, until: datetime
) -> datetime | None:
    """The oldest of the members' bars up to `until` that is newer than `after`, or became known after `known_seq`."""
    found: datetime | None = connection.scalar(
        text("""
        SELECT min(ts) FROM (
          SELECT min(ts) AS ts FROM bars
          WHERE instrument_id = ANY (:members) AND timeframe = CAST(:timeframe AS timeframe)
            AND ts > :after AND ts <= :until
          UNION ALL
          SELECT min(ts) FROM bars
          WHERE known_seq > :known_seq AND timeframe = CAST(:timeframe AS timeframe)
            AND instrument_id = ANY (:members) AND ts <= :until
        ) AS changed
        """),
        {
            "members": list(members.values()),
            "timeframe": timeframe.value,
            "after": after,
            "until": until,
            "known_seq": known_seq,
        },
    )
    return found


def market_bars(
    connection: Connection,
    series: RegimeSeries,
    members: Members,
    timeframe: Timeframe,
    since: datetime,
    level: float | None,
    until: datetime,
) -> list[MarketBar]:
    """The bars of a series after `since`, at which the index stood at `level`; all of them if it is None."""
    traded = list(_traded_bars(connection, members, timeframe, since, until))
    revisions = {(one.ts, one.name): one.revision for one in traded}
    return [
        MarketBar(bar, {name: revisions[bar.ts, name] for name in bar.members})
        for bar in (_index(traded, level) if series is RegimeSeries.INDEX else _alone(traded, since, level))
    ]


def _index(traded: Sequence[_TradedBar], level: float | None) -> Iterator[IndexBar]:
    by_time: dict[datetime, dict[str, MemberBar]] = {}
    for one in traded:
        by_time.setdefault(one.ts, {})[one.name] = one.bar
    return index_bars(by_time.items(), FIRST_LEVEL if level is None else level)


def _alone(traded: Sequence[_TradedBar], since: datetime, level: float | None) -> Iterator[IndexBar]:
    """The bars of a single member as they were traded, with their base volume."""
    for one in traded:
        if level is None or one.ts > since:
            bar = one.bar
            yield IndexBar(one.ts, bar.open, bar.high, bar.low, bar.close, one.volume, (one.name,))


def _traded_bars(
    connection: Connection, members: Members, timeframe: Timeframe, since: datetime, until: datetime
) -> Iterator[_TradedBar]:
    """The members' bars from `since` on, without those that the gate withheld and without impossible ones.

    A candle of the venue has no quote volume: its base volume at its close stands for it.
    """
    rows = connection.execute(
        text("""
        WITH withheld AS MATERIALIZED (
          SELECT f.instrument_id, f.ts FROM quality_findings f JOIN quality_runs r USING (quality_run_id)
          WHERE f.instrument_id = ANY (:members) AND f.timeframe = CAST(:timeframe AS timeframe)
            AND f.ts >= :since AND f.severity = 'block_all' AND r.succeeded AND r.suite <> 'signals'
            AND NOT EXISTS (
              SELECT FROM quality_runs again
              WHERE (again.cycle_t, again.suite) = (r.cycle_t, r.suite) AND again.succeeded
                AND again.quality_run_id > r.quality_run_id))
        SELECT m.name, b.ts, b.revision, b.open, b.high, b.low, b.close, b.volume,
               COALESCE(b.quote_volume, b.volume * b.close) AS quote_volume
        FROM unnest(CAST(:members AS integer[]), CAST(:names AS text[])) AS m (instrument_id, name)
        JOIN bars b USING (instrument_id)
        WHERE b.timeframe = CAST(:timeframe AS timeframe) AND b.ts >= :since AND b.ts <= :until
          AND b.low > 0 AND b.low <= LEAST(b.open, b.close) AND b.high >= GREATEST(b.open, b.close)
          AND b.high < 'Infinity' AND COALESCE(b.volume >= 0 AND b.volume < 'Infinity', true)
          AND NOT EXISTS (SELECT FROM withheld w WHERE (w.instrument_id, w.ts) = (b.instrument_id, b.ts))
        ORDER BY b.ts, m.name
        """),
        {
            "members": list(members.values()),
            "names": list(members),
            "timeframe": timeframe.value,
            "since": since,
            "until": until,
        },
    )
    for row in rows:
        bar = MemberBar(row.open, row.high, row.low, row.close, row.quote_volume)
        yield _TradedBar(row.ts, row.name, row.revision, row.volume, bar)
