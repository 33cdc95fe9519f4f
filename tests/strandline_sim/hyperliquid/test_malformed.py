"""Requests and messages that are wrong in every way: each gets the venue's own refusal, and nothing is logged."""

import gzip
import json
import logging
from collections.abc import Iterator
from socket import create_connection
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.sync.client import ClientConnection, connect

from tests.strandline_sim.hyperliquid.sample_venue import ALICE, make_venue, served

HUGE = 2**70
DEEP = "[" * 3000 + "]" * 3000
SIGNATURE = {"r": "0x1", "s": "0x1", "v": 27}
MALFORMED = "Failed to deserialize the JSON body into the target type"


def signed(action: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"action": action, "nonce": 1, "signature": SIGNATURE, **more}


ORDER: dict[str, Any] = {"a": 0, "b": True, "p": "1", "s": "1", "r": False, "t": {"limit": {"tif": "Gtc"}}}
INFO: list[Any] = [
    {"type": "candleSnapshot", "req": {"coin": "BTC", "interval": ["1m"], "startTime": 0}},
    {"type": "candleSnapshot", "req": {"coin": "BTC", "interval": {"1m": 1}, "startTime": 0}},
    {"type": "candleSnapshot", "req": {"coin": ["BTC"], "interval": "1m", "startTime": 0}},
    {"type": "candleSnapshot", "req": {"coin": "BTC", "interval": "1m", "startTime": 0.5}},
    {"type": "l2Book", "coin": "BTC", "nSigFigs": 5.0},
    {"type": "l2Book", "coin": "BTC", "nSigFigs": True},
    {"type": "l2Book", "coin": "BTC", "nSigFigs": [5]},
    {"type": "l2Book", "coin": "BTC", "nSigFigs": 5, "mantissa": 2.0},
    {"type": "l2Book", "coin": {"name": "BTC"}},
    {"type": "orderStatus", "user": ALICE.address, "oid": [1]},
    {"type": ["meta"]},
    [],
    None,
    HUGE,
]
SIGNED: list[Any] = [
    signed({"type": "noop", "number": HUGE}),
    signed({"type": "order", "orders": [], "grouping": "na"}),
    signed({"type": "order", "orders": HUGE, "grouping": "na"}),
    signed({"type": "cancel", "cancels": [{"a": 0, "o": HUGE}]}),
    signed({"type": "updateIsolatedMargin", "asset": 0, "isBuy": True, "ntli": HUGE}),
    signed({"type": ["noop"]}),
    signed({"type": "order", "orders": [ORDER], "grouping": {"p": HUGE}}),
    signed({"type": "order", "orders": [ORDER], "grouping": {"req": HUGE}}),
    *(
        signed({"type": "approveAgent", "agentAddress": ALICE.address, "nonce": 1, "signatureChainId": chain})
        for chain in ("0x", "", "zz", "-1", "0x" + "f" * 500, 1, None)
    ),
    *(
        {**signed({"type": "noop"}), "signature": signature}
        for signature in ({}, {"r": 1, "s": [], "v": "x"}, {"r": "0x" + "f" * 999, "s": "0x1", "v": HUGE})
    ),
    {**signed({"type": "noop"}), "nonce": HUGE},
]
SUBSCRIPTIONS: list[Any] = [
    {"type": ["trades"], "coin": "BTC"},
    {"type": "trades", "coin": ["BTC"]},
    {"type": "candle", "coin": "BTC", "interval": ["1m"]},
    {"type": "candle", "coin": {}, "interval": "1m"},
    {"type": "l2Book", "coin": "BTC", "nSigFigs": [5]},
    {"type": "l2Book", "coin": "BTC", "mantissa": {}},
    {"type": "userFills", "user": [ALICE.address]},
    {"type": {}},
    [],
    None,
    HUGE,
]
MESSAGES: list[Any] = [
    {"method": ["ping"]},
    {"method": {"subscribe": 1}},
    *({"method": "subscribe", "subscription": subscription} for subscription in SUBSCRIPTIONS),
    {"method": "post", "id": 1, "request": {"type": "info", "payload": {"type": ["meta"]}}},
    {"method": "post", "id": 1, "request": {"type": ["info"], "payload": {"type": "meta"}}},
    {"method": "post", "id": HUGE, "request": {"type": "info", "payload": {"type": "meta"}}},
    {"method": "post", "id": 1, "request": {"type": "action", "payload": signed({"type": "noop", "n": HUGE})}},
]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    venue, _ = make_venue()
    with served(venue) as url:
        yield url


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A request that no one expected is logged by the server with a traceback."""
    with caplog.at_level(logging.WARNING):
        yield
    assert caplog.get_records("call") == []


def post(url: str, path: str, body: bytes, **headers: str) -> requests.Response:
    return requests.post(url + path, data=body, timeout=10, headers=headers)


def is_refused(answer: requests.Response) -> bool:
    if answer.status_code == 422:
        return answer.text == MALFORMED
    return answer.status_code == 200 and answer.json()["status"] == "err"


@pytest.mark.parametrize("query", INFO, ids=repr)
def test_a_malformed_query(url: str, query: Any) -> None:
    answer = post(url, "/info", json.dumps(query).encode())
    assert (answer.status_code, answer.text) == (422, MALFORMED)


@pytest.mark.parametrize("request_body", SIGNED, ids=lambda body: repr(body)[:80])
def test_a_malformed_action(url: str, request_body: Any) -> None:
    assert is_refused(post(url, "/exchange", json.dumps(request_body).encode()))


@pytest.mark.parametrize(
    ("kind", "items", "one", "most"),
    [
        ("order", "orders", ORDER, 100),
        ("batchModify", "modifies", {"oid": 1, "order": ORDER}, 100),
        ("cancel", "cancels", {"a": 0, "o": 1}, 1000),
        ("cancelByCloid", "cancels", {"asset": 0, "cloid": "0x" + "1" * 32}, 1000),
    ],
)
def test_the_length_of_a_batch(url: str, kind: str, items: str, one: dict[str, Any], most: int) -> None:
    grouping = {"grouping": "na"} if kind == "order" else {}
    for number, status in ((most, 200), (most + 1, 422)):
        body = json.dumps(signed({"type": kind, items: [one] * number, **grouping})).encode()
        assert post(url, "/exchange", body).status_code == status


@pytest.mark.parametrize("path", ["/info", "/exchange"])
@pytest.mark.parametrize(
    "body",
    [DEEP.encode(), b'{"type":%s}' % DEEP.encode(), b'{"type":"meta","x":%s}' % DEEP.encode(), b'{"type":"\xff"}'],
    ids=["deep", "deep type", "deep field", "no UTF-8"],
)
def test_a_body_that_cannot_be_decoded(url: str, path: str, body: bytes) -> None:
    answer = post(url, path, body)
    assert (answer.status_code, answer.text) == (422, MALFORMED)


@pytest.mark.parametrize("path", ["/info", "/exchange"])
def test_a_false_encoding(url: str, path: str) -> None:
    answer = post(url, path, b'{"type":"meta"}', **{"Content-Encoding": "gzip"})
    assert answer.status_code == 400
    assert post(url, "/info", gzip.compress(b'{"type":"meta"}'), **{"Content-Encoding": "gzip"}).status_code == 200


@pytest.mark.parametrize("request_line", [b"GET /" + b"a" * 9000 + b" HTTP/1.1", b"\x16\x03\x01", b"GET"], ids=len)
def test_what_is_no_http(url: str, request_line: bytes) -> None:
    address = urlsplit(url)
    with create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(request_line + b"\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.0 400 ")


@pytest.fixture
def socket(url: str) -> Iterator[ClientConnection]:
    with connect(url.replace("http", "ws") + "/ws", proxy=None, max_size=None) as one:
        yield one


def answer_of(socket: ClientConnection, message: str | bytes) -> Any:
    """Send a message, and prove that the socket lives on."""
    socket.send(message)
    answer = json.loads(socket.recv(10))
    socket.send('{"method":"ping"}')
    assert json.loads(socket.recv(10)) == {"channel": "pong"}
    return answer


@pytest.mark.parametrize("message", MESSAGES, ids=repr)
def test_a_malformed_message(socket: ClientConnection, message: Any) -> None:
    answer = answer_of(socket, json.dumps(message))
    if answer["channel"] == "post":
        assert answer["data"]["id"] == 1
        assert set(answer["data"]) == {"id", "response"}
        assert answer["data"]["response"]["type"] in {"error", "action"}
        assert "Error(" not in json.dumps(answer)
    else:
        assert answer["channel"] == "error"


@pytest.mark.parametrize("message", [DEEP, b"\xff", "", "{"], ids=["deep", "no UTF-8", "empty", "half"])
def test_a_message_that_cannot_be_decoded(socket: ClientConnection, message: str | bytes) -> None:
    answer = answer_of(socket, message)
    assert answer["channel"] == "error"
    assert answer["data"].startswith("Error parsing JSON into valid websocket request: ")


scalars = st.none() | st.booleans() | st.integers(-HUGE, HUGE) | st.floats(allow_nan=False) | st.text(max_size=8)
names = st.text(max_size=4)
anything = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3))
"""Any JSON."""

AGENT = {"agentAddress": ALICE.address, "agentName": "", "signatureChainId": "0x1", "hyperliquidChain": "Testnet"}
VALID: list[dict[str, Any]] = [
    {"type": "l2Book", "coin": "BTC", "nSigFigs": 5, "mantissa": 2},
    {"type": "candleSnapshot", "req": {"coin": "BTC", "interval": "1d", "startTime": 0, "endTime": 1}},
    {"type": "fundingHistory", "coin": "BTC", "startTime": 0, "endTime": 1},
    {"type": "userFillsByTime", "user": ALICE.address, "startTime": 0, "aggregateByTime": True},
    {"type": "userFunding", "user": ALICE.address, "startTime": 0},
    {"type": "orderStatus", "user": ALICE.address, "oid": 1},
    {"type": "activeAssetData", "user": ALICE.address, "coin": "BTC"},
    signed({"type": "order", "orders": [ORDER], "grouping": "na"}),
    signed({"type": "batchModify", "modifies": [{"oid": 1, "order": ORDER}]}),
    signed({"type": "scheduleCancel", "time": 1}, vaultAddress=None, expiresAfter=1),
    signed({"type": "updateLeverage", "asset": 0, "isCross": True, "leverage": 1}),
    signed({"type": "approveAgent", "nonce": 1, **AGENT}),
    {"method": "subscribe", "subscription": {"type": "candle", "coin": "BTC", "interval": "1m"}},
    {"method": "subscribe", "subscription": {"type": "l2Book", "coin": "BTC", "nSigFigs": 5, "mantissa": 2}},
    {"method": "post", "id": 1, "request": {"type": "info", "payload": {"type": "l2Book", "coin": "BTC"}}},
]


@st.composite
def damaged(draw: st.DrawFn, valid: Any) -> Any:
    """Replace something somewhere by anything."""
    if isinstance(valid, dict) and valid and draw(st.integers(0, 3)):
        key = draw(st.sampled_from(sorted(valid)))
        return {**valid, key: draw(damaged(valid[key]))}
    if isinstance(valid, list) and valid and draw(st.integers(0, 3)):
        return [draw(damaged(valid[0])), *valid[1:]]
    return draw(anything)


@given(st.sampled_from(VALID).flatmap(lambda valid: st.tuples(st.just(valid), damaged(valid))))
@settings(max_examples=250, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_damage_is_answered(url: str, request_and_damage: tuple[dict[str, Any], Any]) -> None:
    request, damage = request_and_damage
    if "method" in request:
        with connect(url.replace("http", "ws") + "/ws", proxy=None) as socket:
            socket.send(json.dumps(damage))
            socket.send('{"method":"ping"}')
            while json.loads(socket.recv(10))["channel"] != "pong":
                pass
    else:
        answer = post(url, "/exchange" if "action" in request else "/info", json.dumps(damage).encode())
        assert answer.status_code == 200 or (answer.status_code, answer.text) == (422, MALFORMED)
