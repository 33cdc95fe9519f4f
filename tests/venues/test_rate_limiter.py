"""Requests stay within the rate limit; pauses between retries grow up to a maximum."""

import asyncio
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from strandline.venues.backoff import pauses
from strandline.venues.limits import FeedLimits, RateLimit
from strandline.venues.rate_limiter import RateLimiter


@given(
    st.integers(1, 20),
    st.floats(0.5, 50),
    st.lists(st.tuples(st.floats(0, 10), st.floats(0.1, 15)), min_size=1, max_size=30),
)
def test_no_interval_exceeds_the_rate(burst: int, per_second: float, requests: list[tuple[float, float]]) -> None:
    """Each request asks for an amount after a wait; the loop's time is the test's."""
    now = 0.0
    served: list[tuple[float, float]] = []

    async def inside() -> None:
        nonlocal now
        limiter = RateLimiter(RateLimit(burst, per_second))
        for wait, amount in requests:
            now += wait
            await limiter.acquire(amount)
            served.append((now, amount))

    async def sleep(seconds: float) -> None:
        nonlocal now
        assert seconds > 0
        now += seconds

    class Loop:
        def time(self) -> float:
            return now

    patched, running = asyncio.sleep, asyncio.get_running_loop
    asyncio.sleep, asyncio.get_running_loop = sleep, Loop  # type: ignore[assignment]
    try:
        inside().send(None)
    except StopIteration:
        pass
    finally:
        asyncio.sleep, asyncio.get_running_loop = patched, running
    for first in range(len(served)):
        for last in range(first, len(served)):
            spent = sum(amount for _, amount in served[first : last + 1])
            largest = max(burst, served[first][1])
            assert spent <= largest + per_second * (served[last][0] - served[first][0]) + 1e-6


def test_what_is_spare_comes_after_everything_else() -> None:
    """Nothing of the burst may be used when it is its turn, so that whoever asks for more is served at once."""
    served: list[tuple[str, float]] = []

    async def main() -> None:
        limiter, loop = RateLimiter(RateLimit(burst=4, per_second=40)), asyncio.get_running_loop()
        started = loop.time()

        async def acquire(name: str, amount: float, after: float, *, spare: bool) -> None:
            await asyncio.sleep(after)
            await (limiter.acquire_spare(amount) if spare else limiter.acquire(amount))
            served.append((name, loop.time() - started))

        await asyncio.gather(
            acquire("first spare", 1, 0, spare=True),
            acquire("live", 4, 0.001, spare=False),
            acquire("second spare", 1, 0.002, spare=True),
            acquire("live again", 4, 0.05, spare=False),
        )

    asyncio.run(main())
    assert [name for name, _ in served] == ["first spare", "live", "live again", "second spare"]
    # Nine units of forty a second had to come back before it.
    assert served[-1][1] >= 9 / 40


def test_more_than_the_burst_is_served_too() -> None:
    async def main() -> None:
        limiter = RateLimiter(RateLimit(burst=1, per_second=1000))
        for _ in range(3):
            await asyncio.wait_for(limiter.acquire_spare(5), 10)

    asyncio.run(main())


def test_pauses_grow_up_to_the_longest() -> None:
    for _ in range(20):
        found = list(islice(pauses(1, 60), 12))
        assert all(1 <= pause <= 60 for pause in found)
        assert all(pause >= 30 for pause in found[7:])
        assert all(pause <= 2**number for number, pause in enumerate(found))
    assert list(islice(pauses(1, 60), 9)) != list(islice(pauses(1, 60), 9))


def test_an_api_key_raises_the_rate_if_the_venue_declares_it() -> None:
    slow, fast = RateLimit(1, 1), RateLimit(1, 2)
    assert FeedLimits(slow, rate_with_api_key=fast).rate_for("key") == fast
    assert FeedLimits(slow, rate_with_api_key=fast).rate_for(None) == slow
    assert FeedLimits(slow).rate_for("key") == slow
