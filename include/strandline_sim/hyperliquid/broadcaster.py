"""Sends frames to subscribed sockets, and injects faults into them."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

import msgspec

from strandline_sim.clock import Clock
from strandline_sim.faults import FaultKind, Faults, Rule
from strandline_sim.hyperliquid.sockets import Socket
from strandline_sim.hyperliquid.topics import USER_TOPICS, Topic

_ROUTE: Final = "hyperliquid/ws/"
_KINDS: Final = (
    FaultKind.LAG,
    FaultKind.DISCONNECT,
    FaultKind.REPLAY,
    FaultKind.ANSWER_TWICE,
    FaultKind.REORDER,
    FaultKind.MALFORMED,
    FaultKind.DROP_ANSWER,
    FaultKind.DOWN,
)
_REPLAYED_FRAMES: Final = 50


def frame_of(channel: str, data: object) -> bytes:
    """Encode a message to clients."""
    return msgspec.json.encode({"channel": channel, "data": data})


class Broadcaster:
    """The sockets of the venue and their subscriptions."""

    def __init__(self, clock: Clock, faults: Faults) -> None:
        self.sockets: set[Socket] = set()
        self._clock = clock
        self._faults = faults
        self._subscribers: dict[Topic, set[Socket]] = defaultdict(set)
        self._sent: dict[Topic, list[bytes]] = defaultdict(list)
        self._held_back: dict[Topic, bytes] = {}

    @property
    def topics(self) -> list[Topic]:
        """Topics with a subscriber."""
        return [topic for topic, sockets in self._subscribers.items() if sockets]

    @property
    def subscriptions(self) -> int:
        """The number of subscriptions of all sockets."""
        return sum(len(socket.topics) for socket in self.sockets)

    def users(self) -> set[str]:
        """Return the addresses whose feeds are subscribed to."""
        return {topic.user for socket in self.sockets for topic in socket.topics if topic.kind in USER_TOPICS}

    def subscribe(self, socket: Socket, topic: Topic) -> bool:
        """Add a subscription; return False if it exists already."""
        if topic in socket.topics:
            return False
        socket.topics.add(topic)
        self._subscribers[topic].add(socket)
        return True

    def unsubscribe(self, socket: Socket, topic: Topic) -> bool:
        """Remove a subscription; return False if there is none."""
        if topic not in socket.topics:
            return False
        socket.topics.remove(topic)
        self._subscribers[topic].discard(socket)
        return True

    def remove(self, socket: Socket) -> None:
        """Forget a socket that is closed."""
        for topic in list(socket.topics):
            self.unsubscribe(socket, topic)
        self.sockets.discard(socket)

    def publish(self, topic: Topic, data: object) -> None:
        """Send a message to all subscribers, unless a fault is injected."""
        subscribers = self._subscribers.get(topic)
        if not subscribers:
            return
        frame = frame_of(topic.channel, data)
        rule = self._faults.inject(_ROUTE + topic.kind, self._clock.now(), _KINDS)
        if rule is not None and rule.kind in {FaultKind.DISCONNECT, FaultKind.DOWN}:
            for socket in list(self.sockets if rule.kind is FaultKind.DOWN else subscribers):
                socket.abort()
            return
        due = self._clock.now() + int(rule.value) if rule is not None and rule.kind is FaultKind.LAG else 0
        for one in self._frames_to_send(topic, frame, rule):
            for socket in subscribers:
                socket.send(one, due)

    def _frames_to_send(self, topic: Topic, frame: bytes, rule: Rule | None) -> Iterable[bytes]:
        """Return the frames to send instead of this one."""
        kind = rule.kind if rule is not None else None
        if kind is FaultKind.DROP_ANSWER:
            return []
        if kind is FaultKind.REORDER and topic not in self._held_back:
            self._held_back[topic] = frame  # sent after the next one
            return []
        frames = [frame]
        if kind is FaultKind.MALFORMED:
            frames = [frame[: len(frame) // 2]]
        elif kind is FaultKind.ANSWER_TWICE:
            frames = [frame, frame]
        elif kind is FaultKind.REPLAY:
            frames = [*self._sent[topic], frame]
        if topic in self._held_back:
            frames.append(self._held_back.pop(topic))
        self._sent[topic] = [*self._sent[topic][1 - _REPLAYED_FRAMES :], frame]
        return frames
