"""Whatever bytes come: nothing falls over, and everything is either a tick, refused with a reason, or expected."""

import json
import math

from hypothesis import given, settings
from hypothesis import strategies as st

from strandline.venues.hyperliquid.wire import OtherFrame, Pong, SubscriptionReply, Trades, read_frame
from tests.venues.hyperliquid.server import PONG, acknowledged, trades

GOOD = [json.dumps(message).encode() for message in (trades(1), trades(1, 2, 3), PONG, acknowledged({"method": "x"}))]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


def judge(frame: bytes) -> None:
    """What holds for all frames."""
    message = read_frame(frame)
    if isinstance(message, Trades):
        for trade in message.parsed:
            assert math.isfinite(trade.px)
            assert 0 <= trade.sz < math.inf
            assert -(2**63) <= trade.tid < 2**63
        assert all(payload and reason for payload, reason in message.rejected)
    elif isinstance(message, OtherFrame):
        assert message.reason or frame == b"Websocket connection established."
    else:
        assert isinstance(message, SubscriptionReply | Pong)


@given(st.binary(max_size=200))
def test_any_bytes(frame: bytes) -> None:
    judge(frame)


@given(JSON)
def test_any_json(data: object) -> None:
    judge(json.dumps(data).encode())
    judge(json.dumps({"channel": "trades", "data": data}).encode())
    judge(json.dumps({"channel": "error", "data": data}).encode())


@settings(max_examples=3000)
@given(
    st.sampled_from(GOOD),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 3), st.binary(max_size=4)), min_size=1, max_size=5),
)
def test_mutated_frames(frame: bytes, changes: list[tuple[int, int, bytes]]) -> None:
    for at, length, put in changes:
        frame = frame[:at] + put + frame[at + length :]
    judge(frame)


@given(
    st.dictionaries(st.sampled_from(["coin", "side", "px", "sz", "time", "tid", "more"]), JSON, max_size=3),
    st.integers(0, 5),
)
def test_every_trade_is_read_or_told_apart(special: dict[str, object], good: int) -> None:
    frame = trades(*range(good + 1))
    frame["data"][-1].update(special)
    message = read_frame(json.dumps(frame).encode())
    if isinstance(message, Trades):
        assert len(message.parsed) + len(message.rejected) == good + 1
        assert len(message.parsed) >= good
    else:
        # JSON has no way to say NaN or infinity: Python's is no JSON.
        assert isinstance(message, OtherFrame)
        assert "NaN" in json.dumps(frame) or "Infinity" in json.dumps(frame)


def test_endless_nesting() -> None:
    for frame in (b"[" * 100_000, b'{"channel":"trades","data":' + b"[" * 100_000, b'{"channel":' * 50_000):
        judge(frame)
