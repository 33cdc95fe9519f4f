"""Bars start and end at the right instants; an earlier system was off by one."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.model.timeframe import Timeframe
from tests.model import generated


@given(generated.instants, generated.timeframes)
def test_every_instant_lies_in_exactly_one_bar(instant: datetime, timeframe: Timeframe) -> None:
    start = timeframe.start_of(instant)
    assert start <= instant < timeframe.end_of(instant)
    assert timeframe.end_of(instant) - start == timeframe.length
    assert timeframe.start_of(start) == start
    assert timeframe.starts_bar(start)
    assert timeframe.start_of(timeframe.end_of(instant)) == timeframe.end_of(instant)


@given(generated.instants, generated.timeframes)
def test_the_last_final_bar_is_over_and_the_next_is_not(as_of: datetime, timeframe: Timeframe) -> None:
    start = timeframe.last_final(as_of)
    assert start + timeframe.length <= as_of < start + 2 * timeframe.length


@given(generated.instants)
def test_longer_bars_are_made_of_whole_shorter_ones(instant: datetime) -> None:
    for shorter, longer in zip(list(Timeframe), list(Timeframe)[1:], strict=False):
        assert shorter.length < longer.length
        assert longer.length % shorter.length == timedelta(0)
        assert shorter.starts_bar(longer.start_of(instant))


@given(generated.instants, generated.timeframes, st.integers(0, 5), st.timedeltas(timedelta(0), timedelta(minutes=1)))
def test_the_starts_of_a_time_are_those_of_all_bars_that_it_touches(
    since: datetime, timeframe: Timeframe, bars: int, more: timedelta
) -> None:
    until = since + bars * timeframe.length + more
    starts = list(timeframe.starts(since, until))
    assert starts == [timeframe.start_of(since) + number * timeframe.length for number in range(len(starts))]
    following = timeframe.start_of(since) + len(starts) * timeframe.length
    assert following >= until
    assert not starts or starts[-1] < until


def test_bars_are_aligned_to_utc_midnight() -> None:
    assert Timeframe.D1.start_of(datetime(2026, 3, 1, 23, 59, tzinfo=UTC)) == datetime(2026, 3, 1, tzinfo=UTC)
    assert Timeframe.H4.start_of(datetime(2026, 3, 1, 23, 59, tzinfo=UTC)) == datetime(2026, 3, 1, 20, tzinfo=UTC)


def test_a_local_time_is_refused() -> None:
    with pytest.raises(ValueError, match="instant in UTC"):
        Timeframe.M1.start_of(datetime(2026, 1, 1))
