"""The sidecar against simulated venues: what the market did is in the table, once, whatever happens on the way."""

import asyncio
from datetime import timedelta

import pytest

from strandline.feeds import watcher
from strandline.feeds.tick_buffer import TickBuffer
from strandline.venues.solana import feed
from strandline_sim.clock import RunningClock
from strandline_sim.faults import FaultKind, Rule
from strandline_sim.symbols import PERPS
from tests.conftest import Database
from tests.feeds.box import BEGIN, START, Box, listening, story, until
from tests.store.rows import insert

MAJORS = ("BTC", "ETH", "SOL", "HYPE", "BNB")
WRAPPED_SOL = "So11111111111111111111111111111111111111112"
BONK = "DezXAZ8z7PnrnRJjz3wXBoRgixCa6xjnB7YaB1pPB263"


async def all_stored(box: Box, since: int, coins: tuple[str, ...] = MAJORS) -> None:
    """Every trade of the market is in the table, and nothing else."""
    await until(lambda: all(box.happened(coin, since) <= box.stored(coin, since) for coin in coins))
    assert all(box.happened(coin, since) == box.stored(coin, since) for coin in coins)


def test_what_the_market_did_is_in_the_table(database: Database) -> None:
    async def tell(box: Box) -> None:
        await box.streams()
        await box.step(90)
        await all_stored(box, START)
        dirty_minutes = set(box.ask("SELECT instrument_id, minute FROM dirty_minutes"))
        assert dirty_minutes == set(box.ask("SELECT DISTINCT instrument_id, date_trunc('minute', ts) FROM ticks"))
        # What is replayed on subscribing is from the market too.
        assert all(box.stored(coin, 0) <= box.happened(coin, START - 86_400_000) for coin in MAJORS)
        kinds = box.ask("SELECT DISTINCT kind::text, source::text FROM ticks ORDER BY 1")
        assert [tuple(row) for row in kinds] == [("p", "r"), ("t", "s")]

    story(database.url, tell)


@pytest.mark.slow
def test_cut_and_replayed_and_doubled_streams_lose_and_double_nothing(database: Database) -> None:
    kinds = (FaultKind.DISCONNECT, FaultKind.REPLAY, FaultKind.ANSWER_TWICE, FaultKind.REORDER)
    rules = [Rule(route="hyperliquid/ws/trades", kind=kind, after=5 + 9 * number) for number, kind in enumerate(kinds)]

    async def tell(box: Box) -> None:
        await box.streams()
        for _ in range(12):
            await box.streams()
            await box.step(5)
        assert {line.kind for line in box.world.faults.journal} == set(kinds)
        await box.streams()
        await box.step(1)
        await all_stored(box, START)
        told = box.one("SELECT details FROM heartbeats")["feeds"]
        assert told["hyperliquid/perps"]["reconnects"] >= 1

    story(database.url, tell, rules=rules)


@pytest.mark.slow
def test_nonsense_is_quarantined_and_the_stream_goes_on(database: Database) -> None:
    rules = [Rule(route="hyperliquid/ws/trades", kind=FaultKind.MALFORMED, after=3, times=2)]

    async def tell(box: Box) -> None:
        await box.streams()
        await box.step(5)
        await until(lambda: box.one("SELECT count(*) FROM quarantined_messages") == 2)
        rest = box.world.clock.now()
        await box.step(20)
        await all_stored(box, rest)
        found = box.ask("SELECT token_chain, source, reason, payload FROM quarantined_messages")
        assert {(row.token_chain, row.source) for row in found} == {("hyperliquid", "stream")}
        assert all(bytes(row.payload).startswith(b'{"channel":"trades"') and row.reason for row in found)

    story(database.url, tell, rules=rules)


@pytest.mark.slow
def test_a_row_is_streamed_as_soon_as_it_is_added_and_no_longer_than_it_is_wanted(database: Database) -> None:
    async def tell(box: Box) -> None:
        await box.streams()
        box.add_row("DOGE")
        box.add_row("DOGE", timeframe="4h")
        box.add_row("BTC")
        box.add_row(BONK, "solana/onchain_crypto")
        await box.streams(*MAJORS, "DOGE")
        since = box.world.clock.now()
        await box.step(30)
        await all_stored(box, since, (*MAJORS, "DOGE"))
        count = "SELECT count(*) FROM ticks JOIN instruments USING (instrument_id) WHERE token_contract = :mint"
        await until(lambda: box.one(count, mint=BONK) > 0)
        box.ask("UPDATE positions SET desired_status = 'paused' WHERE timeframe = '1h'")
        box.ask("UPDATE positions SET desired_status = 'archived' WHERE timeframe = '4h'")
        await asyncio.sleep(0)
        assert box.subscribed() == {*MAJORS, "DOGE"}
        box.ask("UPDATE positions SET desired_status = 'archived'")
        await box.streams()
        new = [set(tokens) for _, tokens in box.newcomers]
        assert new == [set(MAJORS), {WRAPPED_SOL}, {"DOGE"}, {BONK}]

    story(database.url, tell)


def test_what_no_venue_lists_is_said_once_and_harms_nobody(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    async def tell(box: Box) -> None:
        box.add_row("NOSUCHCOIN")
        box.add_row("nosuchmint", "solana/onchain_crypto")
        box.add_row("AAPL", "exchange/stocks")
        await box.streams()
        await until(lambda: len(told()) == 3)
        box.add_row("DOGE")
        await box.streams(*MAJORS, "DOGE")
        assert len(told()) == 3

    def told() -> list[str]:
        return [record.message for record in caplog.records if "to be watched" in record.message]

    story(database.url, tell)


def test_instruments_are_as_the_venues_describe_them(database: Database) -> None:
    async def tell(box: Box) -> None:
        box.add_row(BONK, "solana/onchain_crypto")
        await box.streams()
        await until(lambda: box.one("SELECT count(*) FROM instruments") == len(PERPS) + 2)
        rows = box.ask("SELECT token_contract, symbol, lot, min_notional FROM instruments")
        assert {(row.token_contract, row.symbol, float(row.lot), int(row.min_notional)) for row in rows} >= {
            ("BTC", "BTC", 0.00001, 10),
            ("kPEPE", "kPEPE", 1, 10),
            (BONK, "BONK", 0.00001, 1),
            (WRAPPED_SOL, "SOL", 1e-9, 1),
        }

    story(database.url, tell)


def test_what_a_venue_says_now_holds_and_nobody_gets_a_second_number(database: Database) -> None:
    with database.session() as session:
        insert(session, "instruments", symbol="OLD", lot=7, listed=False)

    async def tell(box: Box) -> None:
        await box.streams()
        row = box.ask("SELECT * FROM instruments WHERE token_contract = 'BTC'")[0]
        assert (row.instrument_id, row.symbol, float(row.lot), row.listed) == (1, "BTC", 0.00001, True)

    story(database.url, tell)


@pytest.mark.slow
def test_a_venue_that_is_away_is_waited_for(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "_SECONDS_AFTER_TROUBLE", 0.1)
    monkeypatch.setattr(feed, "_SECONDS_PER_POLL", 0.1)
    rules = [
        Rule(route="hyperliquid/info/meta", kind=FaultKind.STATUS, value=502),
        Rule(route="hyperliquid/ws/connect", kind=FaultKind.REFUSE),
        Rule(route="solana/jupiter/*", kind=FaultKind.STATUS, value=429),
    ]

    async def tell(box: Box) -> None:
        await box.streams()
        await until(lambda: box.one("SELECT count(*) FROM ticks WHERE kind = 'p'") > 0)
        assert len(box.world.faults.journal) == 3

    story(database.url, tell, rules=rules)


def test_two_sidecars_write_everything_once(database: Database) -> None:
    async def tell(box: Box) -> None:
        await box.streams()
        async with listening(box, other := TickBuffer()):
            await until(lambda: box.world.hyperliquid._hub.subscriptions == 2 * len(MAJORS))
            since = box.world.clock.now()
            await box.step(60)
            await all_stored(box, since)
            assert other.counts.taken > 0

    story(database.url, tell)


@pytest.mark.slow
def test_nothing_that_was_heard_is_committed_behind_the_watermark(database: Database) -> None:
    """Samples of the watermark, each with the ticks under it: none may grow afterwards."""
    samples: list[tuple[object, int]] = []
    rules = [
        Rule(route="hyperliquid/ws/trades", kind=FaultKind.DISCONNECT, after=10),
        Rule(route="hyperliquid/ws/trades", kind=FaultKind.LAG, value=1200, times=None),
    ]

    async def tell(box: Box) -> None:
        await box.streams()
        await until(lambda: box.one("SELECT watermark FROM heartbeats") is not None)
        while len({watermark for watermark, _ in samples}) < 8 and len(samples) < 300:
            sample = box.ask(
                "SELECT watermark, (SELECT count(*) FROM ticks WHERE ts <= watermark) AS under FROM heartbeats"
            )[0]
            samples.append((sample.watermark, sample.under))
            await asyncio.sleep(0.1)

    story(database.url, tell, clock=RunningClock(START), rules=rules)
    with database.session() as connection:
        for watermark, under in samples:
            count = connection.exec_driver_sql("SELECT count(*) FROM ticks WHERE ts <= %s", (watermark,))
            assert count.scalar() == under
    marks = [watermark for watermark, _ in samples]
    assert marks == sorted(marks)  # type: ignore[type-var]
    assert len(set(marks)) >= 8


def test_the_watermark_stands_still_while_the_stream_is_down(database: Database) -> None:
    async def tell(box: Box) -> None:
        await box.streams()
        await box.step(5)
        await until(lambda: box.one("SELECT watermark FROM heartbeats") is not None)
        box.world.faults.add(Rule(route="hyperliquid/ws/connect", kind=FaultKind.REFUSE, times=None))
        for socket in list(box.world.hyperliquid._hub.sockets):
            socket.cut()
        down_at = BEGIN + timedelta(seconds=5)
        await box.step(60)
        await until(
            lambda: bool(box.one("SELECT beat_at > :late FROM heartbeats", late=down_at + timedelta(seconds=30)))
        )
        assert box.one("SELECT watermark FROM heartbeats") <= down_at

    story(database.url, tell)
