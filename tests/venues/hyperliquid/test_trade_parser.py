"""The compiled parser takes what it takes as the careful one does, gives up on the rest, and takes the usual form."""

import asyncio
import json
from random import Random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from benchmarks.ingest.trades import frames, make_trades
from benchmarks.ingest.venue import _with_header
from strandline.venues.feed import TickRow
from strandline.venues.hyperliquid.feed import _rows
from strandline.venues.hyperliquid.trade_parser import index, parse
from strandline.venues.hyperliquid.wire import Trades, take_apart
from strandline.venues.packed_ticks import unpack
from tests.venues.hyperliquid.scripted_socket import connected_feed, until

NUMBERS = {"BTC": 1, "ETH": 2, "kPEPE": 30, "PURR/USDC": 4, "@107": 5, "BT": 6, "xyz:BTC": 2**31 - 1, "é": 8}
COINS = index(NUMBERS)
HASH, BUYER, SELLER = "0x" + "0a" * 32, "0x" + "1b" * 20, "0x" + "f0" * 20


def trade(**special: Any) -> dict[str, Any]:
    """A trade as the venue sends it."""
    usual = {"coin": "BTC", "side": "B", "px": "100.5", "sz": "0.25", "time": 1_772_323_200_000}
    return {**usual, "hash": HASH, "tid": 7, "users": [BUYER, SELLER], **special}


def frame(*trades: dict[str, Any]) -> bytes:
    """A frame of them."""
    return json.dumps({"channel": "trades", "data": trades}, separators=(",", ":"), ensure_ascii=False).encode()


def careful(content: bytes) -> list[TickRow]:
    """The ticks of a frame whose trades are all good and known."""
    message = take_apart(content)
    assert isinstance(message, Trades)
    assert message.rejected == []
    return _rows(message.parsed, NUMBERS)


def taken(content: bytes) -> bool:
    """Whether the frame is taken; if so, it is what the careful parser says, and ends where it ends."""
    data = _with_header(content)
    end, count, ticks = parse(data + b"\x81\x03...", 0, COINS)
    if end == 0:
        assert (count, len(ticks)) == (0, 0)
        return False
    assert (end, count) == (len(data), 1)
    assert unpack(ticks) == careful(content)
    return True


DIGITS = st.text("0123456789", min_size=1, max_size=25)
NUMBER_TEXTS = st.one_of(
    DIGITS,
    st.builds("{}.{}".format, DIGITS, DIGITS),
    st.floats(0, 1e9).map(lambda value: f"{value:.6f}"),
    st.decimals(0, 1_000_000, places=8).map(str),
    st.text("0123456789.eE+-_ xinfa", max_size=8),
    st.sampled_from(
        ["0", "0.0", "1.", ".5", "00.5", "1e5", "-1", "+1", "1_0", "inf", "nan", " 1", "1 ", "", "1..2", "1.2.3"]
    ),
)
INTEGERS = (
    st.integers()
    | st.integers(0, 2**64)
    | st.sampled_from([0, 1, 253_402_300_799_999, 253_402_300_800_000, 2**63, 10**18])
)
ANY_VALUE = (
    st.none() | st.booleans() | INTEGERS | st.floats() | NUMBER_TEXTS | st.lists(st.text(max_size=3), max_size=3)
)
TRADES = st.builds(
    trade,
    coin=st.sampled_from([*NUMBERS, "DOGE", "B", "BTCC", "", '"', "\\"]) | st.text(max_size=4),
    side=st.sampled_from(["A", "B", "A", "B", "C", "AB", ""]),
    px=NUMBER_TEXTS | ANY_VALUE,
    sz=NUMBER_TEXTS,
    time=st.just(1_772_323_200_000) | INTEGERS,
    hash=st.just(HASH) | st.text(max_size=70),
    tid=INTEGERS,
)


@given(st.lists(TRADES, max_size=3))
def test_what_is_taken_is_what_the_careful_parser_says(trades: list[dict[str, Any]]) -> None:
    try:
        content = frame(*trades)
    except UnicodeEncodeError:
        content = json.dumps({"channel": "trades", "data": trades}).encode()
    taken(content)


@given(st.decimals(0, 10**15, places=6) | st.decimals(0, 10, places=14), st.integers(1, 10**18 - 1))
def test_the_usual_form_is_taken(price: Any, trade_id: int) -> None:
    text = f"{price:f}"
    usual = len(text.replace(".", "").lstrip("0")) <= 15
    assert taken(frame(trade(px=text, tid=trade_id))) == usual
    assert taken(frame(trade(), trade(coin="kPEPE", side="A"), trade(coin="é", sz=text))) == usual


@pytest.mark.parametrize("coin", NUMBERS)
def test_each_coin_is_known(coin: str) -> None:
    assert taken(frame(trade(coin=coin)))


def test_damaged_frames_are_taken_only_if_the_careful_parser_takes_them_alike() -> None:
    """Plain random bytes: there is nothing to shrink, and hypothesis would take most of the time."""
    random = Random(1)
    good = [
        frame(trade()),
        frame(trade(), trade(coin="ETH", side="A", px="3"), trade(sz="12")),
        *frames(make_trades(3, 10**12), 1),
    ]
    found = 0
    for _ in range(20_000):
        content = random.choice(good)
        for _ in range(random.randint(1, 3)):
            at, length = random.randint(0, len(content)), random.choice((0, 1, 1, 1, 2, 40))
            piece = random.choice(
                (b"", random.randbytes(1), random.choice((b"0", b"1", b".", b'"', b",", b"a", b"}", b"{")))
            )
            content = content[:at] + piece + content[at + length :]
        found += taken(content)
    assert 100 < found < 10_000


@given(st.lists(st.integers(1, 12), max_size=8), st.integers(0, 5000))
@example([12], 5000)
def test_of_many_frames_those_are_taken_that_are_whole(sizes: list[int], cut: int) -> None:
    """Up to the first of another kind, from any position on."""
    contents = [frame(*(trade(tid=number + 1) for number in range(size))) for size in sizes]
    messages = [_with_header(content) for content in contents]
    data = b"".join(messages)[:cut]
    whole = next((n for n in range(len(messages)) if len(b"".join(messages[: n + 1])) > cut), len(messages))
    for prefix in (b"", b"\x81\x00"):
        end, count, ticks = parse(prefix + data, len(prefix), COINS)
        assert (end, count) == (len(prefix) + len(b"".join(messages[:whole])), whole)
        assert unpack(ticks) == [row for content in contents[:whole] for row in careful(content)]
    end, count, _ = parse(b"".join([*messages, _with_header(b'{"channel":"pong"}'), *messages]), 0, COINS)
    assert (end, count) == (len(b"".join(messages)), len(messages))


def test_frames_of_another_kind_are_not_taken() -> None:
    content = frame(trade())
    data = _with_header(content)
    for first in (0x01, 0x80, 0x82, 0xC1, 0x89, 0x88):
        assert parse(bytes([first]) + data[1:], 0, COINS)[0] == 0
    masked = bytes([data[0], data[1] | 0x80]) + data[2:]
    assert parse(masked, 0, COINS)[0] == 0
    assert not taken(b'{"channel":"trades","data":[]}')
    assert not taken(content + b" ")
    assert parse(data, 0, index({}))[0] == 0


def test_a_feed_gives_the_same_ticks_before_and_after_its_code_is_loaded() -> None:
    async def inside() -> None:
        async with connected_feed() as connected:
            connected.feed.subscribe(NUMBERS)
            await until(lambda: connected.feed.status.connected)
            contents = [frame(trade(tid=number), trade(tid=number, coin="ETH")) for number in range(1, 400)]
            await connected.server.send(contents[0].decode())
            await until(lambda: len(connected.sink.rows) == 2)
            await until(lambda: connected.feed._trades._parser is not None, seconds=60)
            before = connected.feed.status.messages
            for content in contents[1:200]:
                await connected.server.send(content.decode())
            await connected.server.send("no trade")
            for content in contents[200:]:
                await connected.server.send(content.decode())
            await until(lambda: len(connected.sink.rows) == 2 * len(contents))
            assert connected.sink.rows == [row for content in contents for row in careful(content)]
            assert [refused.payload for refused in connected.sink.refused] == [b"no trade"]
            assert connected.feed.status.messages - before >= len(contents)
            connected.feed.subscribe({"BTC": 1, "NEW": 9})
            await until(lambda: connected.feed.status.connected)
            await connected.server.send(frame(trade(coin="NEW", tid=1)).decode())
            await until(lambda: connected.sink.rows[-1][1] == 9)

    asyncio.run(inside())
