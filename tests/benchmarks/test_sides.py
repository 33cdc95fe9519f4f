"""Both sides of the ingest benchmark store the same rows."""

import asyncio

from benchmarks.ingest.trades import COINS, copy_batches, frames, make_trades
from strandline.store.connect_async import connect_async
from strandline.store.roles import Role
from strandline.venues.hyperliquid.wire import Trades, instant, read_frame
from tests.conftest import Database

NUMBERS = {coin: number for number, coin in enumerate(COINS, start=1)}
UNTIL_MS = 1_790_000_040_000


def test_the_frames_hold_the_rows_that_raw_copy_stores(database: Database) -> None:
    trades = make_trades(1_000, UNTIL_MS)
    sent = set()
    for frame in frames(trades, 10):
        message = read_frame(frame)
        assert isinstance(message, Trades)
        assert not message.rejected
        assert len({trade.coin for trade in message.parsed}) == 1
        sent |= {(instant(one.time), NUMBERS[one.coin], one.tid, one.px, one.sz, one.side) for one in message.parsed}

    async def copied() -> set[tuple[object, ...]]:
        connection = await connect_async(database.url, Role.INGEST)
        await connection.execute("SELECT ensure_tick_partitions($1, $1)", instant(UNTIL_MS).date())
        for batch in copy_batches(trades, NUMBERS, 300):
            await connection.copy_to_table("ticks", source=memoryview(batch), format="binary")
        rows = await connection.fetch(
            "SELECT ts, instrument_id, trade_id, price, size, CASE side WHEN 'b' THEN 'B' ELSE 'A' END FROM ticks"
        )
        await connection.close()
        return {tuple(row) for row in rows}

    assert asyncio.run(copied()) == sent
    assert len(sent) == 1_000
