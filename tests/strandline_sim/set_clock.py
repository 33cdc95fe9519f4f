"""A clock for tests of a simulation that nobody serves."""

from strandline_sim.clock import Clock


class SetClock(Clock):
    """Shows the time that it was set to."""

    def __init__(self, time: int) -> None:
        self.time = time

    def _time(self) -> int:
        return self.time

    async def wait_until(self, instant: int) -> None:
        raise NotImplementedError
