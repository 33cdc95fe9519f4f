"""Compares the bars of streamed instruments with the venue's candles, in rotation and without an end."""

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final, NamedTuple

from strandline.history.candles import CANDLE_DELAY, SERVED
from strandline.history.retry import OpenConnection, retry
from strandline.model.candle_tolerance import PRICE_TOLERANCE, VOLUME_TOLERANCE
from strandline.model.timeframe import Timeframe
from strandline.store.connect_async import Connection
from strandline.venues.history import Candle, History

_log = logging.getLogger(__name__)
_INTERVAL: Final = timedelta(minutes=5)
"""No instrument is compared more often: bars are built every five minutes."""

_IDLE_SECONDS: Final = 5.0
_DELAY: Final = timedelta(minutes=1)
"""Trades may arrive late and candles be completed late: nothing is lost by waiting."""


class Turn(NamedTuple):
    """An instrument whose turn it is, and the end of what was compared before; at first the start of its stream."""

    instrument_id: int
    token: str
    since: datetime


class Compared(NamedTuple):
    """How many candles were compared, and how many minutes differ from our bars."""

    minutes: int
    differing: int


class CandleComparison:
    """Asks for one instrument after the other, with what the venue's other candles leave of the rate limit.

    Whose turn it is, is in the database: started again it goes on where it was, and two processes share the work.
    """

    def __init__(
        self, open_connection: OpenConnection, histories: Collection[History], clock: Callable[[], datetime]
    ) -> None:
        self._open = open_connection
        self._histories = histories
        self._clock = clock

    async def run(self) -> None:
        """Compare until cancelled."""
        async with asyncio.TaskGroup() as rotations:
            for history in self._histories:
                rotations.create_task(self._rotate(history))

    async def _rotate(self, history: History) -> None:
        while True:
            if not await retry(self._open, partial(self._compare_next, history)):
                await asyncio.sleep(_IDLE_SECONDS)

    async def _compare_next(self, history: History, connection: Connection) -> bool:
        """Compare the instrument that has waited longest; returns whether there was one.

        If the venue does not answer, it is the turn of the next: none keeps the others waiting.
        """
        turn = await take_turn(connection, history, self._clock())
        if turn is None:
            return False
        until = Timeframe.M1.start_of(self._clock() - _DELAY)
        candles = await history.candles(turn.token, Timeframe.M1, turn.since, until + CANDLE_DELAY, spare=True)
        compared = await compare(connection, turn, candles, until, self._clock())
        if compared.differing:
            _log.warning("%d minutes of %s differ from the venue's candles", compared.differing, turn.token)
        return True


async def take_turn(connection: Connection, history: History, now: datetime) -> Turn | None:
    """Take the turn of the instrument of this venue that is streamed and has waited longest, if it has long enough.

    An instrument is streamed once it has an outage, because its stream began in the middle of a minute, and while none
    is open.
    """
    row = await connection.fetchrow(
        """
        WITH due AS (
          SELECT i.instrument_id, i.token_contract, GREATEST(c.compared_until, began.starts_at, $4) AS since
          FROM instruments i
          LEFT JOIN candle_comparisons c USING (instrument_id)
          CROSS JOIN LATERAL (SELECT o.starts_at FROM outages o WHERE o.instrument_id = i.instrument_id
                              ORDER BY o.starts_at LIMIT 1) AS began
          CROSS JOIN LATERAL (SELECT o.ends_at FROM outages o WHERE o.instrument_id = i.instrument_id
                              ORDER BY o.starts_at DESC LIMIT 1) AS newest
          WHERE (i.token_chain, i.book_id) = ($1, $2) AND newest.ends_at < 'infinity'
          ORDER BY c.asked_at NULLS FIRST, i.instrument_id LIMIT 1
        ), taken AS (
          INSERT INTO candle_comparisons AS c (instrument_id, asked_at) SELECT instrument_id, $3 FROM due
          ON CONFLICT (instrument_id) DO UPDATE SET asked_at = excluded.asked_at
            WHERE c.asked_at <= $3::timestamptz - $5::interval
          RETURNING instrument_id
        )
        SELECT instrument_id, token_contract, since FROM due JOIN taken USING (instrument_id)
        """,
        history.venue.token_chain,
        history.venue.book_id,
        now,
        Timeframe.M1.start_of(now - SERVED),
        _INTERVAL,
    )
    return None if row is None else Turn(row["instrument_id"], row["token_contract"], row["since"])


async def compare(
    connection: Connection, turn: Turn, candles: Sequence[Candle], until: datetime, now: datetime
) -> Compared:
    """Store the candles, and mark the minutes whose bars differ for the rollup, which decides between the two.

    A candle that is stored is replaced only if it differs by more than the tolerance too: a venue that rounds another
    way each time must not revise bars without an end. A minute that is dirty already is compared by the rollup.
    """
    row = await connection.fetchrow(
        """
        WITH fetched AS (
          SELECT * FROM unnest($2::timestamptz[], $3::double precision[], $4::double precision[],
                               $5::double precision[], $6::double precision[], $7::double precision[], $8::integer[])
            AS candle (ts, open, high, low, close, volume, trades)
        ), stored AS (
          INSERT INTO venue_candles AS old
            (instrument_id, timeframe, ts, open, high, low, close, volume, trades, fetched_at)
          SELECT $1, '1m', ts, open, high, low, close, volume, trades, $10 FROM fetched
          ON CONFLICT (instrument_id, timeframe, ts) DO UPDATE SET
            open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close,
            volume = excluded.volume, trades = excluded.trades, fetched_at = excluded.fetched_at
          WHERE old.trades IS DISTINCT FROM excluded.trades
             OR abs(old.open - excluded.open) > $12 * excluded.open
             OR abs(old.high - excluded.high) > $12 * excluded.high
             OR abs(old.low - excluded.low) > $12 * excluded.low
             OR abs(old.close - excluded.close) > $12 * excluded.close
             OR abs(old.volume - excluded.volume) > $13 * excluded.volume
        ), differing AS (
          SELECT ts
          FROM fetched f
          FULL JOIN (SELECT * FROM bars WHERE (instrument_id, timeframe) = ($1, '1m') AND ts >= $9 AND ts < $11) AS b
            USING (ts)
          WHERE NOT EXISTS (SELECT FROM dirty_minutes d WHERE d.minute = ts AND d.instrument_id = $1)
            AND (b.open IS NULL OR f.open IS NULL OR b.ticks < f.trades
                 OR (b.outage OR b.dropped > 0) AND NOT b.repaired
                 OR abs(b.open - f.open) > $12 * f.open OR abs(b.high - f.high) > $12 * f.high
                 OR abs(b.low - f.low) > $12 * f.low OR abs(b.close - f.close) > $12 * f.close
                 OR abs(b.volume - f.volume) > $13 * f.volume)
        ), marked AS (
          INSERT INTO dirty_minutes SELECT $1, ts FROM differing
        )
        INSERT INTO candle_comparisons AS c (instrument_id, asked_at, compared_at, compared_until, minutes, differing)
        SELECT $1, $10, $10, $11, (SELECT count(*) FROM fetched), (SELECT count(*) FROM differing)
        ON CONFLICT (instrument_id) DO UPDATE SET
          compared_at = excluded.compared_at, compared_until = GREATEST(c.compared_until, excluded.compared_until),
          minutes = excluded.minutes, differing = excluded.differing
        RETURNING minutes, differing
        """,
        turn.instrument_id,
        *([candle[field] for candle in candles] for field in range(7)),
        turn.since,
        now,
        until,
        PRICE_TOLERANCE,
        VOLUME_TOLERANCE,
    )
    return Compared(row["minutes"], row["differing"])
