"""The WebSocket protocol: subscribe, unsubscribe, ping, post."""

import asyncio
from typing import Any, Final

import msgspec
from aiohttp import WSMsgType, web

from strandline_sim.clock import Clock
from strandline_sim.hyperliquid.broadcaster import Broadcaster, frame_of
from strandline_sim.hyperliquid.feeds import Feeds
from strandline_sim.hyperliquid.limits import Limits, Window
from strandline_sim.hyperliquid.rest import Rest
from strandline_sim.hyperliquid.sockets import Socket
from strandline_sim.hyperliquid.topics import OF_USERS, Topic, topic_of
from strandline_sim.web import json_response

_GOODBYE_SECONDS: Final = 1.0
_PONG: Final = b'{"channel":"pong"}'


class Stream:
    """Takes connections and answers their messages."""

    def __init__(
        self, broadcaster: Broadcaster, feeds: Feeds, rest: Rest, clock: Clock, coins: set[str], limits: Limits
    ) -> None:
        self._broadcaster = broadcaster
        self._feeds = feeds
        self._rest = rest
        self._clock = clock
        self._coins = coins
        self._limits = limits
        self._new = Window(limits.new_sockets_per_minute)
        self._messages = Window(limits.messages_per_minute)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One connection, until it ends."""
        now = self._clock.now()
        if self._new.is_full(now) or _reached(len(self._broadcaster.sockets), self._limits.sockets):
            return json_response(None, 429)
        self._new.spend(now, 1)
        connection = web.WebSocketResponse(timeout=_GOODBYE_SECONDS, compress=False, max_msg_size=1 << 20)
        await connection.prepare(request)
        socket = Socket(request, connection, self._clock)
        self._broadcaster.sockets.add(socket)
        delivery = asyncio.create_task(socket.deliver())
        try:
            async for message in connection:
                if message.type in {WSMsgType.TEXT, WSMsgType.BINARY}:
                    self._answer(socket, message.data, request.remote or "")
        finally:
            self._broadcaster.remove(socket)
            delivery.cancel()
        return connection

    async def close_idle(self) -> None:
        """Close sockets to which nothing was sent for a minute; the answer to a ping counts."""
        if self._limits.idle_ms is not None:
            limit = self._clock.now() - self._limits.idle_ms
            for socket in [socket for socket in self._broadcaster.sockets if socket.last_sent <= limit]:
                await socket.close()

    def _answer(self, socket: Socket, text: str | bytes, remote: str) -> None:
        now = self._clock.now()
        if self._messages.is_full(now):
            socket.send(frame_of("error", "Too many websocket messages sent to server."))
            return
        self._messages.spend(now, 1)
        try:
            message = msgspec.json.decode(text)
        except msgspec.DecodeError:
            message = None
        method = message.get("method") if isinstance(message, dict) else None
        if method == "ping":
            socket.send(_PONG)
        elif method in {"subscribe", "unsubscribe"}:
            self._subscription(socket, method, message.get("subscription"))
        elif method == "post" and isinstance(message.get("id"), int) and isinstance(message.get("request"), dict):
            self._post(socket, message["id"], message["request"], remote)
        else:
            written = text if isinstance(text, str) else text.decode(errors="replace")
            socket.send(frame_of("error", f"Error parsing JSON into valid websocket request: {written}"))

    def _subscription(self, socket: Socket, method: str, subscription: object) -> None:
        topic = topic_of(subscription, self._coins)
        if topic is None:
            socket.send(frame_of("error", f"Invalid subscription {_spelled(subscription)}"))
        elif method == "unsubscribe":
            if not self._broadcaster.unsubscribe(socket, topic):
                socket.send(frame_of("error", f"Already unsubscribed: {_spelled(subscription)}"))
                return
            self._acknowledge(socket, method, topic)
        elif topic in socket.topics:
            socket.send(frame_of("error", f"Already subscribed: {_spelled(subscription)}"))
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
        if topic.kind in OF_USERS and topic.user not in users and _reached(len(users), limits.users):
            return f"Cannot track more than {limits.users} total users."
        return None

    def _acknowledge(self, socket: Socket, method: str, topic: Topic) -> None:
        socket.send(frame_of("subscriptionResponse", {"method": method, "subscription": topic.echo()}))

    def _post(self, socket: Socket, number: int, request: dict[str, Any], remote: str) -> None:
        """As the REST endpoints answer, in an envelope."""
        kind, payload = request.get("type"), request.get("payload")
        body = msgspec.json.encode(payload)
        if kind == "info" and isinstance(payload, dict):
            status, answer = self._rest.info(body, remote)
            answer = {"type": payload.get("type"), "data": answer}
        elif kind == "action":
            status, answer = self._rest.exchange(body, remote)
        else:
            status, answer = 422, "unknown type of request"
        if status != 200:
            kind, answer = "error", f"{status} {answer}"
        socket.send(frame_of("post", {"id": number, "response": {"type": kind, "payload": answer}}))


def _reached(count: int, most: int | None) -> bool:
    return most is not None and count >= most


def _spelled(value: object) -> str:
    return msgspec.json.encode(value).decode()
