"""Clocks: running and stepped."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline_sim.clock import RunningClock, SteppedClock


@given(st.lists(st.integers(0, 50), max_size=8), st.lists(st.integers(0, 20), max_size=8))
def test_a_step_wakes_every_task_in_order_at_its_instant(waits: list[int], steps: list[int]) -> None:
    async def run() -> tuple[list[tuple[int, int]], int]:
        clock = SteppedClock(1000)
        woken: list[tuple[int, int]] = []

        async def wait(instant: int) -> None:
            await clock.wait_until(instant)
            woken.append((instant, clock.now()))

        tasks = [asyncio.create_task(wait(1000 + delay)) for delay in waits]
        await asyncio.sleep(0)
        for step in steps:
            await clock.step(step)
        end = clock.now()
        for task in tasks:
            task.cancel()
        return woken, end

    woken, end = asyncio.run(run())
    assert end == 1000 + sum(steps)
    assert sorted(instant for instant, _ in woken) == sorted(1000 + delay for delay in waits if 1000 + delay <= end)
    assert all(instant == at for instant, at in woken)
    assert [at for _, at in woken] == sorted(at for _, at in woken)


def test_a_task_that_waits_again_is_woken_in_the_same_step() -> None:
    async def run() -> list[int]:
        clock = SteppedClock(0)
        beats: list[int] = []

        async def beat() -> None:
            while True:
                await clock.wait_until(clock.now() + 10)
                beats.append(clock.now())

        task = asyncio.create_task(beat())
        await asyncio.sleep(0)
        await clock.step(35)
        task.cancel()
        return beats

    assert asyncio.run(run()) == [10, 20, 30]


def test_time_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="does not go back"):
        asyncio.run(SteppedClock(0).step(-1))


def test_a_running_clock_has_its_speed() -> None:
    async def run() -> tuple[int, int, int]:
        fast = RunningClock(0, speed=1000)
        slow = RunningClock(0, speed=10)
        await fast.wait_until(100_000)
        woken = fast.now()
        return woken, slow.now(), fast.now()

    woken, slow, fast = asyncio.run(run())
    assert woken >= 100_000
    # The slow one started a little later and was read before: it can only be behind.
    assert 0 < slow * 100 <= fast


@pytest.mark.parametrize("speed", [0, -1, float("nan")])
def test_an_invalid_speed_is_refused(speed: float) -> None:
    with pytest.raises(ValueError, match="speed must be above zero"):
        RunningClock(0, speed)
