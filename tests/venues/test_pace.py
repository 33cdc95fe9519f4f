"""Requests stay within what is allowed; retries wait longer and longer, up to a point."""

import asyncio
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from strandline.venues.backoff import pauses
from strandline.venues.pace import Pace


@given(
    st.integers(1, 20),
    st.floats(0.5, 50),
    st.lists(st.tuples(st.floats(0, 10), st.floats(0.1, 15)), min_size=1, max_size=30),
)
def test_no_stretch_of_time_has_more_than_its_share(
    at_once: int, per_second: float, asked: list[tuple[float, float]]
) -> None:
    """Each asks for an amount after a while; the loop's time is the test's."""
    now = 0.0
    served: list[tuple[float, float]] = []

    async def inside() -> None:
        nonlocal now
        pace = Pace(at_once, per_second)
        for wait, amount in asked:
            now += wait
            await pace.spend(amount)
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
            largest = max(at_once, served[first][1])
            assert spent <= largest + per_second * (served[last][0] - served[first][0]) + 1e-6


def test_pauses_grow_to_the_longest_and_never_fall_under_the_first() -> None:
    for _ in range(20):
        found = list(islice(pauses(1, 60), 12))
        assert all(1 <= pause <= 60 for pause in found)
        assert all(pause >= 30 for pause in found[7:])
        assert all(pause <= 2**number for number, pause in enumerate(found))
    assert list(islice(pauses(1, 60), 9)) != list(islice(pauses(1, 60), 9))
