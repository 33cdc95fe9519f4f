"""Any bytes are decoded without an exception, to trades, a reply, or a frame with the reason why it is refused.

Decoding in one pass gives what taking apart gives.
"""

import json
import math
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from strandline.venues.hyperliquid.wire import OtherFrame, Pong, SubscriptionReply, Trades, read_frame, take_apart
from tests.venues.hyperliquid.scripted_socket import PONG, acknowledged, trades

GOOD = [json.dumps(message).encode() for message in (trades(1), trades(1, 2, 3), PONG, acknowledged({"method": "x"}))]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


def check(frame: bytes) -> None:
    """Assert what holds for all frames."""
    message = read_frame(frame)
    assert message == take_apart(frame)
    if isinstance(message, Trades):
        for trade in message.parsed:
            assert math.isfinite(trade.px)
            assert 0 <= trade.sz < math.inf
            assert -(2**63) <= trade.tid < 2**63
        assert all(rejected.payload and rejected.reason for rejected in message.rejected)
    elif isinstance(message, OtherFrame):
        assert message.reason or frame == b"Websocket connection established."
    else:
        assert isinstance(message, SubscriptionReply | Pong)


@given(st.binary(max_size=200))
def test_any_bytes(frame: bytes) -> None:
    check(frame)


@given(JSON)
def test_any_json(data: object) -> None:
    check(json.dumps(data).encode())
    check(json.dumps({"channel": "trades", "data": data}).encode())
    check(json.dumps({"channel": "error", "data": data}).encode())


def test_mutated_frames() -> None:
    """Plain random bytes: there is nothing to shrink, and hypothesis would take most of the time."""
    random = Random(1)
    for _ in range(6000):
        frame = random.choice(GOOD)
        for _ in range(random.randint(1, 5)):
            at, length = random.randint(0, 400), random.randint(0, 3)
            frame = frame[:at] + random.randbytes(random.randint(0, 4)) + frame[at + length :]
        check(frame)


@given(
    st.dictionaries(st.sampled_from(["coin", "side", "px", "sz", "time", "tid", "more"]), JSON, max_size=3),
    st.integers(0, 5),
)
def test_every_trade_is_parsed_or_rejected(special: dict[str, object], good: int) -> None:
    frame = trades(*range(good + 1))
    frame["data"][-1].update(special)
    message = read_frame(json.dumps(frame).encode())
    if isinstance(message, Trades):
        assert len(message.parsed) + len(message.rejected) == good + 1
        assert len(message.parsed) >= good
    else:
        # NaN and Infinity, which Python writes, are not JSON.
        assert isinstance(message, OtherFrame)
        assert "NaN" in json.dumps(frame) or "Infinity" in json.dumps(frame)


def test_deep_nesting() -> None:
    for frame in (b"[" * 100_000, b'{"channel":"trades","data":' + b"[" * 100_000, b'{"channel":' * 50_000):
        check(frame)
