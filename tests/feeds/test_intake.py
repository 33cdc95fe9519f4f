"""What is told is taken once, refused, or dropped: each time counted, and never more than there is room for."""

import asyncio
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from strandline.feeds.dedup import RecentKeys
from strandline.feeds.tick_buffer import ROWS_AT_ONCE, TickBuffer
from strandline.venues.feed import QuarantinedMessage, TickRow
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from tests.feeds.box import BEGIN

DAY = timedelta(days=1)
TODAY = BEGIN.date()
TICKS = st.tuples(st.sampled_from([-1, 0, 1, 2]), st.integers(1, 3), st.integers(1, 8))


def tick(day: int, instrument: int, trade: int) -> TickRow:
    """Of a day before, within or after the days that are stored."""
    return (BEGIN + day * DAY, instrument, trade, 1.0, 1.0, b"b", b"t", b"s")


def buffer(most_rows: int = 10, most_refused: int = 5) -> TickBuffer:
    """With little room."""
    one = TickBuffer(most_rows, most_refused)
    one.store_days(TODAY, TODAY + DAY)
    return one


@given(st.lists(st.lists(TICKS, max_size=12) | st.none(), max_size=30))
def test_everything_is_accounted_for(told: list[list[tuple[int, int, int]] | None]) -> None:
    """None is somebody who takes what waits."""
    one = buffer()
    kept: list[TickRow] = []
    refused: list[QuarantinedMessage] = []
    for rows in told:
        if rows is None:
            batch = one.take(BEGIN)
            kept += batch.rows
            refused += batch.refused
        else:
            one.add_ticks(HYPERLIQUID_PERPS, [tick(*row) for row in rows])
        assert one.waiting <= 10
    batch = one.take(BEGIN)
    kept += batch.rows
    refused += batch.refused
    counts = one.counts
    assert len(kept) == counts.taken == len({row[:3] for row in kept})
    assert len(refused) == counts.refused - counts.refused_unkept
    assert all(0 <= (row[0].date() - TODAY).days <= 1 for row in kept)
    everything = [row for rows in told if rows for row in rows]
    assert len(everything) == counts.taken + counts.doubles + counts.refused + counts.dropped.total()


def test_what_was_dropped_may_come_again() -> None:
    one = buffer(most_rows=1)
    one.add_ticks(HYPERLIQUID_PERPS, [tick(0, 1, 1), tick(0, 2, 2)])
    assert dict(one.counts.dropped) == {2: 1}
    assert one.take(BEGIN).rows == [tick(0, 1, 1)]
    one.add_ticks(HYPERLIQUID_PERPS, [tick(0, 1, 1), tick(0, 2, 2)])
    assert one.take(BEGIN).rows == [tick(0, 2, 2)]


def test_nothing_is_stored_before_it_is_known_what_can_be() -> None:
    one = TickBuffer()
    one.add_ticks(HYPERLIQUID_PERPS, [tick(0, 1, 1)])
    (refused,) = one.take(BEGIN).refused
    assert (refused.instrument_id, refused.venue) == (1, HYPERLIQUID_PERPS)
    assert "outside of the days" in refused.reason
    one.store_days(date(2020, 1, 1), date(2030, 1, 1))
    one.add_ticks(HYPERLIQUID_PERPS, [tick(0, 1, 1)])
    assert one.waiting == 1


def test_enough_rows_are_not_kept_waiting() -> None:
    async def inside() -> None:
        one = TickBuffer()
        one.store_days(TODAY, TODAY)
        filling = asyncio.create_task(one.fill(60))
        one.add_ticks(HYPERLIQUID_PERPS, [tick(0, 1, number) for number in range(ROWS_AT_ONCE)])
        async with asyncio.timeout(5):
            await filling
        one.take(BEGIN)
        began = asyncio.get_running_loop().time()
        await one.fill(0.05)
        assert asyncio.get_running_loop().time() - began >= 0.04

    asyncio.run(inside())


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 120)), max_size=60))
def test_what_was_seen_lately_is_remembered_and_old_things_are_not(seen: list[tuple[int, int]]) -> None:
    span = timedelta(seconds=100)
    recent = RecentKeys(span)
    now = BEGIN
    last: dict[int, object] = {}
    for key, seconds in seen:
        now += timedelta(seconds=seconds)
        recent.age(now)
        for other, at in last.items():
            age = now - at  # type: ignore[operator]
            assert other in recent or age >= span
            assert other not in recent or age <= 2 * span + timedelta(seconds=120)
        recent.add(key)
        last[key] = now


def test_a_flood_is_forgotten_before_it_fills_the_memory() -> None:
    recent = RecentKeys(most=10)
    for number in range(100):
        recent.add(number)
        recent.age(BEGIN)
    assert sum(number in recent for number in range(100)) <= 20
    assert 99 in recent
