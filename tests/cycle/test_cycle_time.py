"""Every instant belongs to exactly one cycle."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.cycle.cycle_time import CYCLE_LENGTH, CycleNotOverError, cycle_of, last_complete_cycle, require_over

instants = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))


@given(instants)
def test_the_last_complete_cycle_is_over_and_the_next_is_not(now: datetime) -> None:
    cycle = last_complete_cycle(now)
    assert cycle <= now < cycle + CYCLE_LENGTH
    assert last_complete_cycle(cycle) == cycle
    assert (cycle.minute % 5, cycle.second, cycle.microsecond) == (0, 0, 0)


@given(instants, instants, instants)
def test_what_a_person_asks_for_comes_first_then_the_interval(end: datetime, asked: datetime, as_of: datetime) -> None:
    assert cycle_of(end, asked, as_of) == last_complete_cycle(as_of)
    assert cycle_of(end, asked, None) == last_complete_cycle(end)
    assert cycle_of(None, asked, None) == last_complete_cycle(asked)


def test_a_scheduled_run_is_about_the_five_minutes_before_it_starts() -> None:
    end = datetime(2026, 1, 1, 23, 55, tzinfo=UTC)
    assert cycle_of(end, end + timedelta(seconds=1), None) == end


@given(instants)
def test_a_cycle_is_refused_until_it_is_over(now: datetime) -> None:
    over, running = last_complete_cycle(now), last_complete_cycle(now) + CYCLE_LENGTH
    require_over(over, now)
    with pytest.raises(CycleNotOverError, match="time zone"):
        require_over(running, now)
    with pytest.raises(CycleNotOverError):
        require_over(running + timedelta(days=400), now)
