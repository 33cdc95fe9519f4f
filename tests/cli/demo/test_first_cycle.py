"""With which five minutes the demo begins, whatever the moment at which it is ready."""

from datetime import UTC, datetime, timedelta

import pytest

from strandline.cli.demo.first_cycle import TIME_TO_ACT, first_cycle, unpause_in_time
from strandline.cycle.cycle_time import CYCLE_LENGTH, last_complete_cycle

BOUNDARY = datetime(2026, 11, 21, 6, 35, tzinfo=UTC)
PARSE_TAKES = timedelta(seconds=3)


@pytest.mark.parametrize("second", range(300))
def test_its_entries_live_long_enough_whatever_the_second(second: int) -> None:
    now = BOUNDARY + timedelta(seconds=second)
    cycle = first_cycle(now)
    starts_at = max(now, cycle)
    assert cycle + CYCLE_LENGTH - starts_at >= TIME_TO_ACT
    # Nothing is waited for without need.
    assert starts_at - now <= TIME_TO_ACT
    assert cycle in {BOUNDARY, BOUNDARY + CYCLE_LENGTH}


class Airflow:
    """A paused DAG with a clock: its next run is that of the last parse, as with a real one; 3 s after a request."""

    def __init__(self, ready_at: datetime, parsed_at: datetime, last_run: datetime | None = None) -> None:
        self.now = ready_at
        self.unpaused_at: datetime | None = None
        self.parses = 0
        self.reports: list[str] = []
        self._last_run = last_run
        self._parsed_at = parsed_at
        self._parse_done: datetime | None = None

    def clock(self) -> datetime:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def next_cycle(self) -> datetime:
        if self._parse_done is not None and self.now >= self._parse_done:
            self._parsed_at, self._parse_done = self._parse_done, None
        newest = last_complete_cycle(self._parsed_at)
        return newest if self._last_run is None or newest > self._last_run else self._last_run + CYCLE_LENGTH

    def parse_again(self) -> None:
        self.parses += 1
        self._parse_done = self._parse_done or self.now + PARSE_TAKES

    def unpause(self) -> None:
        self.unpaused_at = self.now

    def begin(self) -> datetime:
        return unpause_in_time(self, self.clock, self.pause, self.reports.append)


@pytest.mark.parametrize("second", range(300))
@pytest.mark.parametrize("parsed_before", [timedelta(seconds=20), timedelta(seconds=100), timedelta(minutes=7)])
def test_the_run_that_airflow_creates_can_act(second: int, parsed_before: timedelta) -> None:
    ready_at = BOUNDARY + timedelta(seconds=second)
    airflow = Airflow(ready_at, parsed_at=ready_at - parsed_before)
    cycle = airflow.begin()
    assert airflow.unpaused_at is not None
    # It is the run that Airflow has noted, it is over, and its entries live long enough.
    assert cycle == airflow.next_cycle() == last_complete_cycle(airflow.unpaused_at)
    assert cycle + CYCLE_LENGTH - airflow.unpaused_at >= TIME_TO_ACT
    assert airflow.unpaused_at - ready_at <= TIME_TO_ACT + 2 * PARSE_TAKES


def test_cycles_that_have_run_are_not_waited_for() -> None:
    ready_at = BOUNDARY + timedelta(seconds=60)
    airflow = Airflow(ready_at, parsed_at=ready_at, last_run=BOUNDARY)
    assert airflow.begin() == BOUNDARY + CYCLE_LENGTH
    assert airflow.unpaused_at == ready_at


def test_a_wait_is_reported_once() -> None:
    airflow = Airflow(BOUNDARY + timedelta(seconds=250), parsed_at=BOUNDARY)
    airflow.begin()
    assert airflow.reports == ["waiting for the next five minutes, which end at 06:40 UTC"]
    assert airflow.parses == 1
