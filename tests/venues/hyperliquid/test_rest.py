"""Any response of a server: requests return valid data or raise one error, and an order's outcome is never guessed."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strandline.model.order import SignedOrder
from strandline.model.result import OrderStatus, StillUnknown
from strandline.venues.hyperliquid.executor import HyperliquidExecutor
from strandline.venues.hyperliquid.responses import Market, Status
from strandline.venues.hyperliquid.rest import HyperliquidError, RateLimitedError, Rest
from strandline.venues.hyperliquid.timeouts import Timeouts
from tests.venues.hyperliquid.simulated_hyperliquid import SimulatedHyperliquid

AT_ONCE = Timeouts(request=2, order=2, attempts=1, fill_polls=1, pause=0)


class FixedServer(ThreadingHTTPServer):
    """Responds to every request with the same bytes."""

    status, body, requests = 200, b"", 0

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    server: FixedServer

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests += 1
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def fixed_server() -> Iterator[FixedServer]:
    with FixedServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@contextmanager
def asking(url: str) -> Iterator[Rest]:
    rest = Rest(url, AT_ONCE)
    try:
        yield rest
    finally:
        rest.close()


@pytest.mark.parametrize("status", [200, 301, 400, 404, 422, 429, 500, 502])
@pytest.mark.parametrize(
    "body", [b"", b"null", b'"no"', b"{}", b"[]", b"7", b'{"code":1}', b"<html>", b"[" * 9000, b"\xff", b'{"time":"1"}']
)
def test_an_invalid_response_is_one_error(fixed_server: FixedServer, status: int, body: bytes) -> None:
    fixed_server.status, fixed_server.body = status, body
    with asking(fixed_server.url) as rest:
        with pytest.raises(HyperliquidError):
            rest.request(Status, type="exchangeStatus")
        with pytest.raises(HyperliquidError):
            rest.send(b"{}")


@pytest.mark.parametrize("status", [429, 500])
def test_a_used_up_rate_limit_has_its_own_error(fixed_server: FixedServer, status: int) -> None:
    """Its name is the reason of a skipped entry."""
    fixed_server.status, fixed_server.body = status, b"null"
    with asking(fixed_server.url) as rest:
        for ask in (lambda: rest.request(Status, type="exchangeStatus"), lambda: rest.send(b"{}")):
            with pytest.raises(HyperliquidError) as raised:
                ask()
            assert (raised.type is RateLimitedError) == (status == 429)


@pytest.mark.parametrize("status", [200, 307, 308, 429, 503])
def test_orders_are_sent_once(fixed_server: FixedServer, status: int) -> None:
    fixed_server.status, fixed_server.body, fixed_server.requests = status, b"", 0
    with asking(fixed_server.url) as rest, pytest.raises(HyperliquidError):
        rest.send(b"{}")
    assert fixed_server.requests == 1


def test_an_unreachable_server() -> None:
    with asking("http://127.0.0.1:1") as rest:
        with pytest.raises(HyperliquidError):
            rest.request(Status, type="exchangeStatus")
        with pytest.raises(HyperliquidError):
            rest.send(b"{}")


@pytest.mark.parametrize("price", ["NaN", "Infinity", "1e5", "", " 1", "--1"])
def test_invalid_numbers(fixed_server: FixedServer, price: str) -> None:
    asset = {"name": "ETH", "szDecimals": 4, "maxLeverage": 25}
    context = {"markPx": price, "funding": "0.0", "midPx": "1.0"}
    fixed_server.status, fixed_server.body = 200, msgspec.json.encode([{"universe": [asset]}, [context]])
    with asking(fixed_server.url) as rest, pytest.raises(HyperliquidError):
        rest.request(Market, type="metaAndAssetCtxs")


@pytest.fixture(scope="module")
def order(shared: SimulatedHyperliquid) -> SignedOrder:
    with shared.executor(shared.wallet()) as executor:
        return shared.signed_order(executor, shared.buy())


pieces = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 3) | st.sampled_from(["ok", "err", "order", "0.1", "unknownOid", ""]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                ["status", "response", "type", "data", "statuses", "filled", "error", "oid", "totalSz", "order"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
states = st.one_of(
    st.builds(lambda size: {"filled": {"totalSz": size, "avgPx": "1", "oid": 1}}, st.sampled_from(["0.1", "0", "x"])),
    st.just({"resting": {"oid": 1}}),
    st.just("waitingForFill"),
    st.just({"error": 7}),
    pieces,
)
replies = st.one_of(
    st.builds(
        lambda some: {"status": "ok", "response": {"type": "order", "data": {"statuses": some}}},
        st.lists(states, max_size=2),
    ),
    st.builds(lambda text: {"status": "err", "response": text}, st.text(max_size=8)),
    pieces,
).map(msgspec.json.encode)


@given(st.sampled_from([200, 200, 200, 302, 404, 429, 500]), replies | st.binary(max_size=40))
@settings(max_examples=150)
def test_invalid_responses_decide_nothing(
    shared: SimulatedHyperliquid, order: SignedOrder, fixed_server: FixedServer, status: int, body: bytes
) -> None:
    """The server responds to every request with these bytes, so that none can be true of the order."""
    fixed_server.status, fixed_server.body = status, body
    executor = HyperliquidExecutor(shared.config(key="11" * 32, url=fixed_server.url), AT_ONCE)
    try:
        result = executor.execute(order)
        assert result.status is OrderStatus.UNKNOWN or (status == 200 and _error_of_the_order(body) is not None)
        assert isinstance(executor.recover(order), StillUnknown)
    finally:
        executor.close()


def _error_of_the_order(body: bytes) -> str | None:
    """Whether the response refuses the one order, which is certain by itself."""
    try:
        (state,) = msgspec.json.decode(body)["response"]["data"]["statuses"]
        text = state["error"]
    except (msgspec.DecodeError, KeyError, TypeError, ValueError):
        return None
    return text if isinstance(text, str) else None
