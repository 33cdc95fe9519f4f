"""The WebSocket protocol: subscribe, unsubscribe, ping, post."""

import asyncio
from http import HTTPStatus
from typing import Any, Final

import msgspec
from aiohttp import WSMsgType, web

from strandline_sim.clock import Clock
from strandline_sim.hyperliquid.broadcaster import Broadcaster, frame_of
from strandline_sim.hyperliquid.feeds import Feeds
from strandline_sim.hyperliquid.limits import Limits, SlidingWindow
from strandline_sim.hyperliquid.rest import Rest
from strandline_sim.hyperliquid.sockets import Socket
from strandline_sim.hyperliquid.topics import USER_TOPICS, Topic, topic_of
from strandline_sim.web import MalformedJsonError, decode_json, json_response

_CLOSE_TIMEOUT_SECONDS: Final = 1.0
_PONG: Final = b'{"channel":"pong"}'


class Stream:
    """Accepts connections and handles their messages."""

    def __init__(
        self, broadcaster: Broadcaster, feeds: Feeds, rest: Rest, clock: Clock, coins: set[str], limits: Limits
    ) -> None:
        self._broadcaster = broadcaster
        self._feeds = feeds
        self._rest = rest
        self._clock = clock
        self._coins = coins
        self._limits = limits
        self._new_sockets = SlidingWindow(limits.new_sockets_per_minute)
        self._messages = SlidingWindow(limits.messages_per_minute)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Handle a connection until it ends."""
        now = self._clock.now()
        if self._new_sockets.is_full(now) or _reached(len(self._broadcaster.sockets), self._limits.sockets):
            return json_response(None, 429)
        self._new_sockets.add(now, 1)
        connection = web.WebSocketResponse(timeout=_CLOSE_TIMEOUT_SECONDS, compress=False, max_msg_size=1 << 20)
        await connection.prepare(request)
        socket = Socket(request, connection, self._clock)
        self._broadcaster.sockets.add(socket)
        delivery = asyncio.create_task(socket.deliver())
        try:
            async for message in connection:
                if message.type in {WSMsgType.TEXT, WSMsgType.BINARY}:
                    await self._handle_message(socket, message.data, request.remote or "")
        finally:
            self._broadcaster.remove(socket)
            delivery.cancel()
        return connection

    async def close_idle(self) -> None:
        """Close sockets to which nothing was sent for a minute, not even a pong."""
        if self._limits.idle_ms is not None:
            limit = self._clock.now() - self._limits.idle_ms
            for socket in [socket for socket in self._broadcaster.sockets if socket.last_sent <= limit]:
                await socket.close()

    async def _handle_message(self, socket: Socket, text: str | bytes, remote: str) -> None:
        now = self._clock.now()
        if self._messages.is_full(now):
            socket.send(frame_of("error", "Too many websocket messages sent to server."))
            return
        self._messages.add(now, 1)
        try:
            message = decode_json(text)
        except MalformedJsonError:
            message = None
        method = message.get("method") if isinstance(message, dict) else None
        if method == "ping":
            socket.send(_PONG)
        elif method in ("subscribe", "unsubscribe"):
            self._subscription(socket, method, message.get("subscription"))
        elif method == "post" and _is_id(message.get("id")) and isinstance(message.get("request"), dict):
            response = await self._post(message["request"], remote)
            socket.send(
                _unparsable(text) if response is None else frame_of("post", {"id": message["id"], "response": response})
            )
        else:
            socket.send(_unparsable(text))

    def _subscription(self, socket: Socket, method: str, subscription: object) -> None:
        topic = topic_of(subscription, self._coins)
        if topic is None:
            socket.send(frame_of("error", f"Invalid subscription {_json_text(subscription)}"))
        elif method == "unsubscribe":
            if not self._broadcaster.unsubscribe(socket, topic):
                socket.send(frame_of("error", f"Already unsubscribed: {_json_text(subscription)}"))
                return
            self._acknowledge(socket, method, topic)
        elif topic in socket.topics:
            socket.send(frame_of("error", f"Already subscribed: {_json_text(subscription)}"))
        elif (fault := self._over_limit(topic)) is not None:
            socket.send(frame_of("error", fault))
        else:
            self._rest.advance()
            self._acknowledge(socket, method, topic)
            snapshot = self._feeds.snapshot(topic)
            if snapshot is not None:
                socket.send(frame_of(topic.channel, snapshot))
            self._broadcaster.subscribe(socket, topic)

    def _over_limit(self, topic: Topic) -> str | None:
        limits = self._limits
        if _reached(self._broadcaster.subscriptions, limits.subscriptions):
            return f"Cannot track more than {limits.subscriptions} total subscriptions."
        users = self._broadcaster.users()
        if topic.kind in USER_TOPICS and topic.user not in users and _reached(len(users), limits.users):
            return f"Cannot track more than {limits.users} total users."
        return None

    def _acknowledge(self, socket: Socket, method: str, topic: Topic) -> None:
        socket.send(frame_of("subscriptionResponse", {"method": method, "subscription": topic.echo()}))

    async def _post(self, request: dict[str, Any], remote: str) -> dict[str, Any] | None:
        """Handle a request as the REST endpoints do; None if it is malformed, as any other message may be."""
        kind, payload = request.get("type"), request.get("payload")
        body = msgspec.json.encode(payload)
        if kind == "info" and isinstance(payload, dict):
            status, found = await self._rest.info(body, remote)
            answer: Any = {"type": payload.get("type"), "data": found} if status == HTTPStatus.OK else found
        elif kind == "action":
            status, answer = self._rest.exchange(body, remote)
        else:
            return None
        if status == HTTPStatus.UNPROCESSABLE_ENTITY:
            return None
        if status != HTTPStatus.OK:
            kind, answer = "error", f"{status} {answer or HTTPStatus(status).phrase}"
        return {"type": kind, "payload": answer}


def _unparsable(text: str | bytes) -> bytes:
    written = text if isinstance(text, str) else text.decode(errors="replace")
    return frame_of("error", f"Error parsing JSON into valid websocket request: {written}")


def _reached(count: int, limit: int | None) -> bool:
    return limit is not None and count >= limit


def _is_id(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**64


def _json_text(value: object) -> str:
    return msgspec.json.encode(value).decode()
