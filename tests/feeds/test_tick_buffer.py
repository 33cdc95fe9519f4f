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
from strandline.venues.packed_ticks import pack, unpack
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


@given(st.lists(st.tuples(st.booleans(), st.lists(TICKS, max_size=12)) | st.none(), max_size=30))
def test_everything_is_accounted_for(received: list[tuple[bool, list[tuple[int, int, int]]] | None]) -> None:
    """Ticks come as an array or as tuples; None drains the buffer."""
    buffer = small_buffer()
    kept: list[TickRow] = []
    quarantined: list[QuarantinedMessage] = []
    for portion in received:
        if portion is None:
            batch = buffer.drain(START)
            kept += unpack(batch.ticks)
            quarantined += batch.quarantined
        elif portion[0]:
            buffer.add_packed(HYPERLIQUID_PERPS, pack([tick(*row) for row in portion[1]]))
        else:
            buffer.add_ticks(HYPERLIQUID_PERPS, [tick(*row) for row in portion[1]])
        assert buffer.pending <= 10
    batch = buffer.drain(START)
    kept += unpack(batch.ticks)
    quarantined += batch.quarantined
    counts = buffer.counts
    assert len(kept) == counts.accepted == len({row[:3] for row in kept})
    assert len(quarantined) == counts.quarantined - counts.quarantine_overflow
    assert all(0 <= (from_microseconds(row[0]).date() - TODAY).days <= 1 for row in kept)
    everything = [row for portion in received if portion for row in portion[1]]
    assert len(everything) == counts.accepted + counts.duplicates + counts.quarantined + counts.dropped.total()


def test_a_dropped_tick_is_accepted_when_it_is_sent_again() -> None:
    buffer = small_buffer(max_rows=1)
    buffer.add_ticks(HYPERLIQUID_PERPS, [tick(0, 1, 1), tick(0, 2, 2)])
    assert dict(buffer.counts.dropped) == {2: 1}
    assert unpack(buffer.drain(START).ticks) == [tick(0, 1, 1)]
    buffer.add_ticks(HYPERLIQUID_PERPS, [tick(0, 1, 1), tick(0, 2, 2)])
    assert unpack(buffer.drain(START).ticks) == [tick(0, 2, 2)]


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
    assert unpack(batch.ticks) == [tick(0, 1, 8), soon, polled]
    (message,) = batch.quarantined
    assert fault.strip() in message.reason
    assert message.instrument_id == 1
    assert dict(batch.dropped) == {(1, START): 1}


@given(st.lists(st.tuples(st.binary(max_size=1), st.integers(0, 120)), max_size=60))
def test_keys_are_remembered_for_the_span_and_forgotten_later(seen: list[tuple[bytes, int]]) -> None:
    span = timedelta(seconds=100)
    seen_keys = DuplicateFilter(span)
    now = START
    last: dict[bytes, object] = {}
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
        seen_keys.newer.add(bytes([number]))
        seen_keys.expire(START)
    known = seen_keys.newer | seen_keys.older
    assert len(known) <= 20
    assert bytes([99]) in known


ARRAYS = st.lists(
    st.tuples(st.sampled_from([-1, 0, 0, 0, 0, 1, 2]), st.integers(1, 3), st.integers(1, 200)), max_size=40
)
SPECIAL = st.sampled_from(["price", "size"]), st.sampled_from([0.0, -1.0, math.nan, math.inf, 2.0])


@given(st.lists(st.tuples(ARRAYS, *SPECIAL, st.integers(0, 39), st.booleans()), max_size=6), st.integers(1, 120))
def test_an_array_is_taken_as_its_ticks_are_one_by_one(
    portions: list[tuple[list[tuple[int, int, int]], str, float, int, bool]], room: int
) -> None:
    """The same ticks, refusals and counts, whatever is wrong with one of them, and whatever came before."""
    packed, single = small_buffer(room, 100), small_buffer(room, 100)
    for portion, field, value, at, drained in portions:
        ticks = pack([tick(*row) for row in portion]).copy()
        if at < len(ticks):
            ticks[field][at] = value
        packed.add_packed(HYPERLIQUID_PERPS, ticks)
        for one in unpack(ticks):
            single.add_ticks(HYPERLIQUID_PERPS, [one])
        assert packed.counts == single.counts
        assert packed.pending == single.pending
        if drained:
            batches = packed.drain(START), single.drain(START)
            assert unpack(batches[0].ticks) == unpack(batches[1].ticks)
            assert batches[0][1:] == batches[1][1:]


def test_what_waits_longest_is_taken_out_first_however_it_came() -> None:
    buffer = small_buffer(max_rows=100)
    ticks = [tick(0, 1, number) for number in range(40)]
    buffer.add_ticks(HYPERLIQUID_PERPS, ticks[:5])
    buffer.add_packed(HYPERLIQUID_PERPS, pack(ticks[5:30]))
    assert unpack(buffer.oldest(20)) == ticks[:20]
    buffer.remove_oldest(20, START)
    assert (buffer.pending, unpack(buffer.oldest(buffer.pending))) == (10, ticks[20:30])
    buffer.add_packed(HYPERLIQUID_PERPS, pack(ticks[30:]))
    assert unpack(buffer.drain(START).ticks) == ticks[20:]
    assert (buffer.pending, len(buffer.drain(START).ticks)) == (0, 0)
