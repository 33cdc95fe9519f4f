"""Serves the sidecar's own counters to Prometheus, as they are when it asks."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

from strandline.feeds.shard import SidecarName

_REQUEST_SECONDS: Final = 5.0
_NO_REQUEST: Final = (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)


class _Family(NamedTuple):
    name: str
    kind: str
    meaning: str


_OF_FEED: Final = {
    "messages": _Family("messages_total", "counter", "Messages received from the venue."),
    "reconnects": _Family("reconnects_total", "counter", "Connections that were opened again."),
    "oversized": _Family("oversized_total", "counter", "Messages refused unread as too large."),
    "subscribed": _Family("subscribed", "gauge", "Instruments that are subscribed to."),
    "connected": _Family("connected", "gauge", "1 while every subscription is confirmed and replayed."),
}
_OF_SIDECAR: Final = {
    "stored": _Family("rows_total", "counter", "Ticks committed."),
    "duplicates": _Family("duplicates_total", "counter", "Ticks that were received again."),
    "quarantined": _Family("quarantined_total", "counter", "Messages and ticks that cannot be."),
    "dropped": _Family("dropped_total", "counter", "Ticks for which there was no room."),
    "pending": _Family("queue_rows", "gauge", "Ticks received and not committed."),
    "lag_seconds": _Family("lag_seconds", "gauge", "Age of the newest tick of the last commit."),
    "watermark_age_seconds": _Family("watermark_age_seconds", "gauge", "Time since the watermark."),
}


def render(name: SidecarName, details: Mapping[str, Any]) -> str:
    """Write `details`, as in the heartbeat, in Prometheus' text format; what has no value yet is left out."""
    sidecar = {"shard": str(name.shard), "replica": name.replica}
    lines: list[str] = []
    for key, family in _OF_SIDECAR.items():
        lines += _lines(family, [(sidecar, details.get(key))])
    for key, family in _OF_FEED.items():
        lines += _lines(family, [(sidecar | {"feed": feed}, own[key]) for feed, own in details["feeds"].items()])
    return "".join(f"{line}\n" for line in lines)


def _lines(family: _Family, samples: list[tuple[dict[str, str], float | None]]) -> Iterator[str]:
    name = f"strandline_ingest_{family.name}"
    yield f"# HELP {name} {family.meaning}"
    yield f"# TYPE {name} {family.kind}"
    for labels, value in samples:
        if value is not None:
            written = ",".join(f'{key}="{text}"' for key, text in labels.items())
            yield f"{name}{{{written}}} {float(value)!r}"


@asynccontextmanager
async def metrics_server(port: int, text: Callable[[], str]) -> AsyncIterator[int]:
    """Answer GET /metrics on this machine until the block ends; yields the port, which is chosen if 0 is given."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(*_NO_REQUEST):
            async with asyncio.timeout(_REQUEST_SECONDS):
                request = await reader.readuntil(b"\r\n\r\n")
                found = request.startswith((b"GET /metrics ", b"GET /metrics?"))
                body = text().encode() if found else b"see /metrics\n"
                head = f"HTTP/1.1 {'200 OK' if found else '404 Not Found'}\r\nContent-Length: {len(body)}\r\n"
                kind = "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\nConnection: close\r\n\r\n"
                writer.write(f"{head}{kind}".encode() + body)
                await writer.drain()

    server = await asyncio.start_server(answer, "127.0.0.1", port)
    async with server:
        yield server.sockets[0].getsockname()[1]
