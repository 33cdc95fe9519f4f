"""The index is a chain of returns: no price level shows in it, and no member that comes or goes."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.engine import IndexBar, MemberBar, MemberBars, index_bars

START = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)

Bar: TypeAlias = tuple[float, float, float, float]


def member(bar: Bar, quote_volume: float | None = 1000.0) -> MemberBar:
    return MemberBar(*bar, quote_volume)


def scaled(bar: MemberBar, scale: float) -> MemberBar:
    """The same bar at another price level."""
    return member((scale * bar.open, scale * bar.high, scale * bar.low, scale * bar.close), bar.quote_volume)


def hours(*bars: Mapping[str, MemberBar]) -> list[MemberBars]:
    return [(START + number * HOUR, now) for number, now in enumerate(bars)]


def flat(price: float) -> MemberBar:
    return member((price, price, price, price))


moves = st.floats(0.5, 2.0)
one_bar = st.tuples(moves, moves, moves, moves).map(lambda four: (four[0], max(four), min(four), four[3]))
"""Open, high, low and close as multiples of the close before."""


@st.composite
def markets(draw: st.DrawFn) -> list[MemberBars]:
    """Some members with prices of very different size, of which some lack some bars."""
    names = draw(st.lists(st.sampled_from(["BTC", "ETH", "SOL", "BNB"]), min_size=1, unique=True))
    length = draw(st.integers(1, 6))
    closes = {name: draw(st.sampled_from([60_000.0, 3_000.0, 0.00001])) for name in names}
    bars: list[Mapping[str, MemberBar]] = []
    for _ in range(length):
        now = {}
        for name in names:
            drawn = draw(one_bar)
            if draw(st.integers(0, 3)):
                now[name] = scaled(member(drawn, draw(st.none() | st.floats(0, 1e9))), closes[name])
                closes[name] = now[name].close
        bars.append(now)
    return hours(*bars)


def returns(bars: Sequence[IndexBar]) -> list[tuple[float, ...]]:
    """Each bar as multiples of the index's close before it."""
    found, level = [], 100.0
    for bar in bars:
        found.append(tuple(value / level for value in bar[1:5]))
        level = bar.close
    return found


def test_two_members_by_hand() -> None:
    """BTC +10 %, SOL −2 %: +4 %, although BTC costs five hundred times as much."""
    (bar,) = index_bars(
        hours(
            {"BTC": flat(50_000), "SOL": flat(100)},
            {"BTC": member((50_000, 56_000, 49_000, 55_000), 7.0), "SOL": member((101, 102, 97, 98), 5.0)},
        )
    )
    assert bar.ts == START + HOUR
    assert bar[1:5] == pytest.approx((100.5, 107.0, 97.5, 104.0))
    assert (bar.volume, bar.members) == (12.0, ("BTC", "SOL"))


@given(markets(), st.sampled_from(["BTC", "ETH", "SOL", "BNB"]), st.sampled_from([2.0**-30, 0.5, 2.0**40]))
def test_the_scale_of_a_member_changes_nothing(bars: list[MemberBars], name: str, scale: float) -> None:
    """Exactly nothing where the product is exact, as with powers of two."""
    other = [(ts, {key: scaled(bar, scale if key == name else 1.0) for key, bar in now.items()}) for ts, now in bars]
    assert list(index_bars(other)) == list(index_bars(bars))


@given(markets(), st.floats(1e-6, 1e6))
def test_any_scale_changes_nothing_that_matters(bars: list[MemberBars], scale: float) -> None:
    elsewhere = [(ts, {key: scaled(bar, scale) for key, bar in now.items()}) for ts, now in bars]
    for bar, other in zip(index_bars(bars), index_bars(elsewhere), strict=True):
        assert other[1:5] == pytest.approx(bar[1:5], rel=1e-12)


@given(markets())
def test_one_member_gives_that_members_returns(bars: list[MemberBars]) -> None:
    alone = [(ts, {"ETH": now["ETH"]} if "ETH" in now else {}) for ts, now in bars]
    found = list(index_bars(alone))
    closes = [now["ETH"].close if now else None for _, now in alone]
    expected = [
        tuple(x / before for x in now["ETH"][:4])
        for before, (_, now) in zip(closes, alone[1:], strict=False)
        if before and now
    ]
    assert len(found) == len(expected)
    for got, wanted in zip(returns(found), expected, strict=True):
        assert got == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("price", [0.00001, 100.0, 1e9])
def test_a_member_that_appears_or_disappears_makes_no_jump(price: float) -> None:
    """While nothing moves, the index stands still, whoever is there."""
    there, absent = {"BTC": flat(60_000), "HYPE": flat(price)}, {"BTC": flat(60_000)}
    found = list(index_bars(hours(absent, absent, there, there, absent, there, absent)))
    assert {bar[1:5] for bar in found} == {(100.0, 100.0, 100.0, 100.0)}
    assert [bar.members for bar in found] == [("BTC",), ("BTC",), ("BTC", "HYPE"), ("BTC",), ("BTC",), ("BTC",)]


def test_what_a_member_did_while_it_was_away_is_not_in_the_index() -> None:
    found = list(index_bars(hours({"A": flat(1), "B": flat(1)}, {"A": flat(1)}, {"A": flat(1), "B": flat(9)})))
    assert [bar.close for bar in found] == [100.0, 100.0]


def test_a_bar_without_a_shared_member_leaves_the_index_where_it_is() -> None:
    found = list(index_bars(hours({"A": flat(1)}, {"A": flat(2)}, {"B": flat(5)}, {"B": flat(6)})))
    assert [(bar.ts, bar.close) for bar in found] == [
        (START + HOUR, 200.0),
        (START + 3 * HOUR, pytest.approx(240.0)),
    ]


@given(markets(), st.integers(0, 6))
def test_it_goes_on_from_any_bar_identically(bars: list[MemberBars], at: int) -> None:
    """From the index's close and the members' bars of that time."""
    whole = list(index_bars(bars))
    for place, bar in enumerate(whole):
        if place == at:
            rest = [one for one in bars if one[0] >= bar.ts]
            assert list(index_bars(rest, bar.close)) == whole[place + 1 :]


@given(markets())
def test_a_bar_is_possible_and_the_order_of_members_does_not_matter(bars: list[MemberBars]) -> None:
    found = list(index_bars(bars))
    for bar in found:
        assert 0 < bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
    turned = [(ts, dict(reversed(list(now.items())))) for ts, now in bars]
    assert list(index_bars(turned)) == found


def test_one_unknown_volume_makes_the_sum_unknown() -> None:
    bars = hours({"A": flat(1), "B": flat(1)}, {"A": flat(1), "B": member((1, 1, 1, 1), None)}, {"A": flat(1)})
    assert [bar.volume for bar in index_bars(bars)] == [None, 1000.0]
