"""A strategy of nautilus_trader trades at the simulated Hyperliquid, through that project's own adapter; run by hand.

It needs an environment of its own, because its dependencies are not Strandline's (tried: 1.231.0 on Python 3.13):

    strandline sim --symbols BTC,ETH        # in another shell
    python3.13 -m venv nautilus && nautilus/bin/pip install nautilus_trader
    nautilus/bin/python tests/strandline_sim/clients/nautilus_session.py http://127.0.0.1:3001

The first node trades, and leaves a position and an order behind; the second finds them by reconciliation and ends them.
The adapter's address for HTTP is fixed, so it is told of a proxy that answers for the test network with the simulated
venue; the proxy's certificate is made here, with openssl, and only these processes trust it.
"""

import asyncio
import contextlib
import os
import secrets
import ssl
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Generator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from nautilus_trader.adapters.hyperliquid import (
    HYPERLIQUID,
    HyperliquidDataClientConfig,
    HyperliquidExecClientConfig,
    HyperliquidLiveDataClientFactory,
    HyperliquidLiveExecClientFactory,
    HyperliquidProductType,
)
from nautilus_trader.config import (
    InstrumentProviderConfig,
    LiveExecEngineConfig,
    LoggingConfig,
    StrategyConfig,
    TradingNodeConfig,
)
from nautilus_trader.core.nautilus_pyo3 import HyperliquidEnvironment
from nautilus_trader.live.node import TradingNode
from nautilus_trader.model.data import BarType
from nautilus_trader.model.enums import OrderSide, OrderStatus, TimeInForce
from nautilus_trader.model.identifiers import InstrumentId, TraderId
from nautilus_trader.model.objects import Quantity
from nautilus_trader.trading.strategy import Strategy

HOST = "api.hyperliquid-testnet.xyz"
ETH = InstrumentId.from_str("ETH-USD-PERP.HYPERLIQUID")
MINUTE_BARS = BarType.from_str(f"{ETH}-1-MINUTE-LAST-EXTERNAL")
_SHORT = timedelta(milliseconds=50)
_MINUTE = timedelta(minutes=1)
SIZE = Quantity.from_str("0.1000")
PATIENCE_SECONDS = 300
Steps = Generator[Callable[[], bool], None, None]


class Scripted(Strategy):  # type: ignore[misc]
    """Does one step after another, each as soon as what the one before waits for has come."""

    def __init__(self) -> None:
        super().__init__(StrategyConfig(external_order_claims=[ETH]))  # what it finds there is its own
        self.seen: Counter[str] = Counter()
        self.step = 0
        self.done = False
        self._steps = self.steps()
        self._awaited: Callable[[], bool] = lambda: True

    def steps(self) -> Steps:
        raise NotImplementedError

    def on_start(self) -> None:
        self.instrument = self.cache.instrument(ETH)
        self.subscribe_quote_ticks(ETH)
        self.subscribe_mark_prices(ETH)
        self.clock.set_timer("steps", interval=_SHORT, callback=lambda _: self._go_on())

    def on_stop(self) -> None:
        self.clock.cancel_timer("steps")

    def on_quote_tick(self, _: Any) -> None:
        self.seen["quotes"] += 1

    def on_trade_tick(self, _: Any) -> None:
        self.seen["trades"] += 1

    def on_bar(self, _: Any) -> None:
        self.seen["bars"] += 1

    def on_historical_data(self, _: Any) -> None:
        self.seen["bars of the past"] += 1

    def on_order_book_deltas(self, _: Any) -> None:
        self.seen["books"] += 1

    def on_mark_price(self, update: Any) -> None:
        self.seen["marks"] += 1
        self.mark = update.value

    def on_funding_rate(self, _: Any) -> None:
        self.seen["funding rates"] += 1

    def on_order_rejected(self, event: Any) -> None:
        self.fail(f"rejected: {event.reason}")

    def on_order_denied(self, event: Any) -> None:
        self.fail(f"denied: {event.reason}")

    def fail(self, why: str) -> None:
        print("FAILED", why, flush=True)
        os._exit(1)

    def held(self) -> Decimal:
        return Decimal(str(self.portfolio.net_position(ETH)))

    def price(self, factor: str) -> Any:
        return self.instrument.make_price(round(self.mark.as_decimal() * Decimal(factor)))

    def market(self, side: OrderSide, *, reduce_only: bool = False) -> Any:
        order = self.order_factory.market(ETH, side, SIZE, TimeInForce.IOC, reduce_only=reduce_only)
        self.submit_order(order)
        return order

    def is_in(self, order: Any, *statuses: OrderStatus) -> Callable[[], bool]:
        return lambda: self.cache.order(order.client_order_id).status in statuses

    def _go_on(self) -> None:
        if self.done or not self._awaited():
            return
        try:
            self._awaited = next(self._steps)
            self.step += 1
        except StopIteration:
            self.done = True


class First(Scripted):
    """Reads the market; buys and sells; rests, changes and cancels; leaves a position and an order behind."""

    def steps(self) -> Steps:
        yield lambda: self.seen["quotes"] > 0 and self.seen["marks"] > 0
        self.subscribe_trade_ticks(ETH)
        self.subscribe_bars(MINUTE_BARS)
        self.subscribe_order_book_deltas(ETH)
        self.subscribe_funding_rates(ETH)
        self.request_bars(MINUTE_BARS, start=self.clock.utc_now() - 20 * _MINUTE)
        yield lambda: {"trades", "bars of the past", "books", "marks", "funding rates"} <= set(self.seen)
        yield self.is_in(self.market(OrderSide.BUY), OrderStatus.FILLED)
        yield lambda: self.held() == Decimal("0.1")
        yield self.is_in(self.market(OrderSide.SELL, reduce_only=True), OrderStatus.FILLED)
        yield lambda: self.held() == 0
        limit = self.order_factory.limit(ETH, OrderSide.BUY, SIZE, self.price("0.9"), post_only=True)
        self.submit_order(limit)
        yield self.is_in(limit, OrderStatus.ACCEPTED)
        lower = self.price("0.89")
        self.modify_order(limit, price=lower)
        yield lambda: self.cache.order(limit.client_order_id).price == lower
        self.cancel_order(limit)
        yield self.is_in(limit, OrderStatus.CANCELED)
        yield self.is_in(self.market(OrderSide.BUY), OrderStatus.FILLED)
        stop = self.order_factory.stop_market(ETH, OrderSide.SELL, SIZE, self.price("0.95"), reduce_only=True)
        self.submit_order(stop)
        yield self.is_in(stop, OrderStatus.ACCEPTED)
        self.cancel_order(stop)
        yield self.is_in(stop, OrderStatus.CANCELED)
        left = self.order_factory.limit(ETH, OrderSide.BUY, SIZE, self.price("0.8"))
        self.submit_order(left)
        yield self.is_in(left, OrderStatus.ACCEPTED)
        yield lambda: self.seen["bars"] > 0
        if self.held() != Decimal("0.1"):
            self.fail(f"holds {self.held()}")


class Second(Scripted):
    """Finds what the first has left behind; a stop or a target near the price closes the position."""

    def steps(self) -> Steps:
        orders, positions = self.cache.orders_open(instrument_id=ETH), self.cache.positions_open(instrument_id=ETH)
        self.seen.update(orders=len(orders), positions=len(positions))
        if (len(orders), [one.quantity for one in positions]) != (1, [SIZE]):
            self.fail(f"reconciled {orders} and {positions}")
        yield lambda: self.seen["quotes"] > 0 and self.seen["marks"] > 0
        self.cancel_order(orders[0])
        yield self.is_in(orders[0], OrderStatus.CANCELED)
        make = self.order_factory
        stop = make.stop_market(ETH, OrderSide.SELL, SIZE, self.price("0.9996"), reduce_only=True)
        target = make.market_if_touched(ETH, OrderSide.SELL, SIZE, self.price("1.0004"), reduce_only=True)
        for order in (stop, target):
            self.submit_order(order)
        yield lambda: OrderStatus.FILLED in {self.cache.order(one.client_order_id).status for one in (stop, target)}
        yield lambda: self.held() == 0
        for order in self.cache.orders_open(instrument_id=ETH):
            self.cancel_order(order)
        yield lambda: not self.cache.orders_open(instrument_id=ETH)


def run_node(strategy: Scripted, venue: str, proxy: str, key: str) -> None:
    """Run a node until the strategy has done all its steps."""
    common: dict[str, Any] = {
        "environment": HyperliquidEnvironment.TESTNET,
        "base_url_ws": venue.replace("http", "ws") + "/ws",
        "proxy_url": proxy,
        "product_types": (HyperliquidProductType.PERP,),
        "instrument_provider": InstrumentProviderConfig(load_all=True),
    }
    node = TradingNode(
        TradingNodeConfig(
            trader_id=TraderId("STRANDLINE-001"),
            logging=LoggingConfig(log_level=os.environ.get("NAUTILUS_LOG", "WARNING")),
            exec_engine=LiveExecEngineConfig(reconciliation=True, reconciliation_startup_delay_secs=1.0),
            data_clients={HYPERLIQUID: HyperliquidDataClientConfig(**common)},
            exec_clients={HYPERLIQUID: HyperliquidExecClientConfig(**common, private_key=key)},
            timeout_connection=30.0,
            timeout_reconciliation=15.0,
            timeout_disconnection=5.0,
            timeout_post_stop=1.0,
        )
    )
    node.trader.add_strategy(strategy)
    node.add_data_client_factory(HYPERLIQUID, HyperliquidLiveDataClientFactory)
    node.add_exec_client_factory(HYPERLIQUID, HyperliquidLiveExecClientFactory)
    node.build()

    async def until_done() -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not strategy.done:
                await asyncio.sleep(0.1)

    loop = node.get_event_loop()
    running = loop.create_task(node.run_async())
    try:
        loop.run_until_complete(until_done())
        print(type(strategy).__name__, dict(strategy.seen), flush=True)
    except TimeoutError:
        strategy.fail(f"waits after step {strategy.step}; seen {dict(strategy.seen)}")
    finally:
        loop.run_until_complete(node.stop_async())
        running.cancel()
        node.dispose()


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate of the test network's host, and its key."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    names = ["-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}", "-addext", "basicConstraints=CA:FALSE"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *names, *files]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


async def serve_proxy(venue: str, context: ssl.SSLContext) -> asyncio.Server:
    """Serve a proxy in which every tunnel ends at the simulated venue."""
    address = urlsplit(venue)

    async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65_536):
                sink.write(data)
                await sink.drain()
        sink.close()

    async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        if HOST.encode() in request:
            await writer.start_tls(context)
        venue_reader, venue_writer = await asyncio.open_connection(address.hostname, address.port)
        await asyncio.gather(copy(reader, venue_writer), copy(venue_reader, writer))

    return await asyncio.start_server(tunnel, "127.0.0.1", 0)


async def main(venue: str) -> int:
    """Run both nodes, each in a process of its own."""
    key = "0x" + secrets.token_hex(32)
    with tempfile.TemporaryDirectory() as folder:
        certificate, its_key = make_certificate(Path(folder))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, its_key)
        proxy = await serve_proxy(venue, context)
        url = f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
        environment = os.environ | {"SSL_CERT_FILE": str(certificate)}
        for name in ("First", "Second"):
            node = await asyncio.create_subprocess_exec(
                sys.executable, __file__, name, venue, url, key, env=environment
            )
            if await node.wait() != 0:
                return 1
    print("the session is complete")
    return 0


if __name__ == "__main__":
    if sys.argv[1] in {"First", "Second"}:
        run_node({"First": First, "Second": Second}[sys.argv[1]](), *sys.argv[2:])
    else:
        sys.exit(asyncio.run(main(sys.argv[1])))
