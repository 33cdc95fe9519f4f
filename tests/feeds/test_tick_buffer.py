"""Each tick is accepted once, quarantined or dropped, and counted; the buffer stays within its bounds."""

import asyncio
import math
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.feeds.dedup import DuplicateFilter
from strandline.feeds.tick_buffer import TickBuffer
from strandline.feeds.tick_commits import BATCH_ROWS
from strandline.model.instants import from_microseconds, microseconds
from strandline.venues.feed import QuarantinedMessage, TickRow
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from tests.feeds.environment import START

DAY = timedelta(days=1)
TODAY = START.date()
TICKS = st.tuples(st.sampled_from([-1, 0, 1, 2]), st.integers(1, 3), st.integers(1, 8))


def tick(day: int, instrument: int, trade: int) -> TickRow:
    """A tick so many days after the first accepted day, of which there are two."""
    return (microseconds(START + day * DAY), instrument, trade, 1.0, 1.0, b"b", b"t", b"s")


def small_buffer(max_rows: int = 10, max_quarantined: int = 5) -> TickBuffer:
    """A buffer with these bounds."""
    buffer = TickBuffer(lambda: START + 2 * DAY, max_rows, max_quarantined)
    buffer.accept_days(TODAY, TODAY + DAY)
    return buffer


@given(st.lists(st.lists(TICKS, max_size=12) | st.none(), max_size=30))
def test_everything_is_accounted_for(received: list[list[tuple[int, int, int]] | None]) -> None:
    """None drains the buffer."""
    buffer = small_buffer()
    kept: list[TickRow] = []
    quarantined: list[QuarantinedMessage] = []
    for rows in received:
        if rows is None:
            batch = buffer.drain(START)
            kept += batch.rows
            quarantined += batch.quarantined
        else:
            buffer.add_ticks(HYPERLIQUID_PERPS, [tick(*row) for row in rows])
        assert buffer.pending <= 10
    batch = buffer.drain(START)
    kept += batch.rows
    quarantined += batch.quarantined
    counts = buffer.counts
    assert len(kept) == counts.accepted == len({row[:3] for row in kept})
    assert len(quarantined) == counts.quarantined - counts.quarantine_overflow
    assert all(0 <= (from_microseconds(row[0]).date() - TODAY).days <= 1 for row in kept)
    everything = [row for rows in received if rows for row in rows]
    assert len(everything) == counts.accepted + counts.duplicates + counts.quarantined + counts.dropped.total()


def test_a_dropped_tick_is_accepted_when_it_is_sent_again() -> None:
    buffer = small_buffer(max_rows=1)
    buffer.add_ticks(HYPERLIQUID_PERPS, [tick(0, 1, 1), tick(0, 2, 2)])
    assert dict(buffer.counts.dropped) == {2: 1}
    assert buffer.drain(START).rows == [tick(0, 1, 1)]
    buffer.add_ticks(HYPERLIQUID_PERPS, [tick(0, 1, 1), tick(0, 2, 2)])
    assert buffer.drain(START).rows == [tick(0, 2, 2)]


def test_of_a_flood_of_unreadable_messages_only_some_are_kept() -> None:
    now = START
    buffer = TickBuffer(lambda: now, max_quarantined=3)
    for number in range(10):
        buffer.quarantine(QuarantinedMessage(HYPERLIQUID_PERPS, "stream", "unreadable", bytes([number])))
    assert [message.payload for message in buffer.drain(START).quarantined] == [b"\x00", b"\x01", b"\x02"]
    assert (buffer.counts.quarantined, buffer.counts.quarantine_overflow) == (10, 7)
    now += timedelta(seconds=1)
    for payload in (b"a second later", b"at once"):
        buffer.quarantine(QuarantinedMessage(HYPERLIQUID_PERPS, "stream", "unreadable", payload))
    assert [message.payload for message in buffer.drain(START).quarantined] == [b"a second later"]
    assert (buffer.counts.quarantined, buffer.counts.quarantine_overflow) == (12, 8)


def test_of_large_unreadable_messages_only_the_beginnings_are_kept() -> None:
    buffer = TickBuffer(lambda: START)
    for _ in range(20):
        buffer.quarantine(QuarantinedMessage(HYPERLIQUID_PERPS, "stream", "x" * 2**20, b"y" * 2**20))
    kept = buffer.drain(START).quarantined
    assert len(kept) == 20
    assert sum(len(message.payload) + len(message.reason) for message in kept) < 20 * 4096


def test_no_tick_is_accepted_before_there_are_partitions() -> None:
    buffer = TickBuffer(lambda: START)
    buffer.add_ticks(HYPERLIQUID_PERPS, [tick(0, 1, 1)])
    (message,) = buffer.drain(START).quarantined
    assert (message.instrument_id, message.venue) == (1, HYPERLIQUID_PERPS)
    assert "outside of the days" in message.reason
    buffer.accept_days(date(2020, 1, 1), date(2030, 1, 1))
    buffer.add_ticks(HYPERLIQUID_PERPS, [tick(0, 1, 1)])
    assert buffer.pending == 1


def test_a_full_batch_is_written_at_once() -> None:
    async def inside() -> None:
        buffer = TickBuffer(lambda: START)
        buffer.accept_days(TODAY, TODAY)
        waiting = asyncio.create_task(buffer.wait_for_batch(60))
        buffer.add_ticks(HYPERLIQUID_PERPS, [tick(0, 1, number) for number in range(BATCH_ROWS)])
        async with asyncio.timeout(5):
            await waiting
        buffer.drain(START)
        began = asyncio.get_running_loop().time()
        await buffer.wait_for_batch(0.05)
        assert asyncio.get_running_loop().time() - began >= 0.04

    asyncio.run(inside())


FAULTS: dict[str, tuple[datetime, int, int, float, float]] = {
    "price": (START, 1, 1, 0.0, 1.0),
    "price ": (START, 1, 1, -1.0, 1.0),
    " price": (START, 1, 1, math.nan, 1.0),
    " price ": (START, 1, 1, math.inf, 1.0),
    "size": (START, 1, 1, 1.0, 0.0),
    "size ": (START, 1, 1, 1.0, -1.0),
    " size": (START, 1, 1, 1.0, math.nan),
    " size ": (START, 1, 1, 1.0, math.inf),
    "id": (START, 1, -1, 1.0, 1.0),
    "id ": (START, 1, 2**63, 1.0, 1.0),
    "ahead": (START + timedelta(seconds=6), 1, 1, 1.0, 1.0),
    "outside": (START + 8 * DAY, 1, 1, 1.0, 1.0),
    " outside": (START - DAY, 1, 1, 1.0, 1.0),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_an_impossible_tick_is_quarantined_with_the_reason_and_the_others_are_kept(fault: str) -> None:
    buffer = TickBuffer(lambda: START)
    buffer.accept_days(TODAY, TODAY + 7 * DAY)
    ts, *_, trade_id, price, size = FAULTS[fault]
    bad: TickRow = (microseconds(ts), 1, trade_id, price, size, b"b", b"t", b"s")
    soon: TickRow = (microseconds(START + timedelta(seconds=4)), 1, 9, 1.0, 1.0, b"b", b"t", b"s")
    polled: TickRow = (microseconds(START), 1, 10, 1.0, None, None, b"p", b"r")
    buffer.add_ticks(HYPERLIQUID_PERPS, [tick(0, 1, 8), bad, soon, polled])
    batch = buffer.drain(START)
    assert batch.rows == [tick(0, 1, 8), soon, polled]
    (message,) = batch.quarantined
    assert fault.strip() in message.reason
    assert message.instrument_id == 1
    assert dict(batch.dropped) == {(1, START): 1}


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 120)), max_size=60))
def test_keys_are_remembered_for_the_span_and_forgotten_later(seen: list[tuple[int, int]]) -> None:
    span = timedelta(seconds=100)
    seen_keys = DuplicateFilter(span)
    now = START
    last: dict[int, object] = {}
    for key, seconds in seen:
        now += timedelta(seconds=seconds)
        seen_keys.expire(now)
        for other, at in last.items():
            age = now - at  # type: ignore[operator]
            known = other in seen_keys.newer | seen_keys.older
            assert known or age >= span
            assert not known or age <= 2 * span + timedelta(seconds=120)
        seen_keys.newer.add(key)
        last[key] = now


def test_a_flood_of_keys_is_bounded() -> None:
    seen_keys = DuplicateFilter(max_keys=10)
    for number in range(100):
        seen_keys.newer.add(number)
        seen_keys.expire(START)
    known = seen_keys.newer | seen_keys.older
    assert len(known) <= 20
    assert 99 in known
