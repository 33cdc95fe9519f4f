"""Every tick is followed by a mark that the rollup cannot have taken before it."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from strandline.feeds.dirty_minutes import DirtyMinutes, InstrumentMinute

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SKEW = timedelta(seconds=5)
seconds = st.integers(0, 8).map(lambda number: timedelta(seconds=number))


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


def test_an_open_minute_is_marked_once() -> None:
    clock = Clock()
    dirty = DirtyMinutes(clock)
    found = []
    for second in range(0, 70, 5):
        clock.now = START + timedelta(seconds=second)
        marked = dirty.due({(1, START)})
        found.append(bool(marked))
        assert dirty.committed({(1, START)}, marked) == set()
    assert found == [True] + [False] * 10 + [True] * 3


def test_it_is_marked_again_after_a_commit_during_which_the_mark_may_have_been_taken() -> None:
    clock = Clock()
    dirty = DirtyMinutes(clock)
    dirty.committed({(1, START)}, {(1, START)})
    clock.now = START + MINUTE - timedelta(seconds=6)
    assert dirty.due({(1, START)}) == set()
    clock.now = START + MINUTE - timedelta(seconds=4)  # by the rollup's clock the minute may be over
    assert dirty.committed({(1, START), (2, START)}, {(2, START)}) == {(1, START)}


def test_another_minute_or_instrument_is_marked() -> None:
    dirty = DirtyMinutes(Clock())
    dirty.committed({(1, START)}, {(1, START)})
    assert dirty.due({(1, START), (2, START), (1, START + MINUTE)}) == {(2, START), (1, START + MINUTE)}


def test_a_mark_that_was_not_committed_does_not_count() -> None:
    dirty = DirtyMinutes(Clock())
    assert dirty.due({(1, START)}) == dirty.due({(1, START)}) == {(1, START)}


@given(
    st.lists(st.tuples(seconds, seconds, st.lists(st.integers(-1, 1), min_size=1, max_size=3)), max_size=30), st.data()
)
def test_no_mark_is_taken_before_the_ticks_that_need_it(
    batches: list[tuple[timedelta, timedelta, list[int]]], data: st.DataObject
) -> None:
    """Whatever the commits take, and whenever rollups run whose clock is ahead by less than five seconds."""
    clock = Clock()
    clock.now += timedelta(seconds=45)
    dirty = DirtyMinutes(clock)
    marks: set[InstrumentMinute] = set()
    unread: set[InstrumentMinute] = set()

    def roll_up() -> None:
        """Take the marks of the minutes that are over by its own clock, and read their committed ticks."""
        taken = {mark for mark in marks if mark[1] + MINUTE <= clock.now + skew}
        marks.difference_update(taken)
        unread.difference_update(taken)

    skew = data.draw(st.sampled_from([-SKEW, timedelta(0), SKEW]))
    for pause, duration, minutes in batches:
        clock.now += pause
        touched = {(1, clock.now.replace(second=0, microsecond=0) + number * MINUTE) for number in minutes}
        marked = dirty.due(touched)
        clock.now += duration / 2
        roll_up()
        clock.now += duration / 2
        marks |= marked
        unread |= touched
        again = dirty.committed(touched, marked)
        if data.draw(st.booleans()):
            roll_up()
        marks |= again
    assert unread <= marks
