"""A scrape tells the sidecar's own counters, in the text format that Prometheus reads."""

import asyncio
import re
from functools import partial

from strandline.feeds.metrics import metrics_server
from strandline.feeds.shard import Shard, SidecarName
from strandline.feeds.sidecar import Sidecar
from strandline.store.connect_async import connect_async
from strandline.store.roles import Role
from strandline.venues.hyperliquid.feed import HyperliquidFeed
from tests.conftest import Database
from tests.feeds.environment import simulated_venues, until

SAMPLE = re.compile(r'([a-z_]+)\{((?:[a-z]+="[^"\\]*",?)*)\} (\S+)')


async def scrape(port: int, path: str = "/metrics") -> tuple[str, str]:
    """The head and the body of the response."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    return head, body


def test_a_scrape_tells_the_counters_as_they_are(database: Database) -> None:
    async def inside() -> None:
        async with simulated_venues(database.url) as env:
            feed = HyperliquidFeed(env.endpoints.hyperliquid, env.buffer, env.now)
            name = SidecarName(Shard(0, 1), "b")
            sidecar = Sidecar(
                partial(connect_async, env.url, Role.INGEST), env.buffer, [feed], env.now, lambda *_: None, name
            )
            stop = asyncio.Event()
            run = asyncio.create_task(sidecar.run(stop))
            async with metrics_server(0, sidecar.metrics) as port:
                assert "lag_seconds{" not in (await scrape(port))[1]
                await env.wait_for_subscriptions()
                await env.advance(30)
                await until(lambda: feed.status.connected and sidecar._writer.details()["stored"] > 0)
                head, body = await scrape(port)
                assert (await scrape(port, "/"))[0].startswith("HTTP/1.1 404")
            stop.set()
            assert await run == 0
            assert head.startswith("HTTP/1.1 200 OK")
            assert "version=0.0.4" in head
            lines = [line for line in body.splitlines() if not line.startswith("#")]
            samples = {found[1]: (found[2], float(found[3])) for line in lines if (found := SAMPLE.fullmatch(line))}
            assert len(samples) == len(lines)
            assert all(f"# TYPE {name} " in body and f"# HELP {name} " in body for name in samples)
            labels, rows = samples["strandline_ingest_rows_total"]
            assert labels == 'shard="0/1",replica="b"'
            assert 0 < rows <= env.scalar("SELECT count(*) FROM ticks")
            labels, messages = samples["strandline_ingest_messages_total"]
            assert labels == 'shard="0/1",replica="b",feed="hyperliquid/perps"'
            assert messages > 0
            assert samples["strandline_ingest_subscribed"][1] == 5
            assert samples["strandline_ingest_watermark_age_seconds"][1] >= 0

    asyncio.run(inside())
