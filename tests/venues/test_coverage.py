"""Whatever is sent, delayed, lost or broken: what is said to be covered has been received, and committed if published.

The venue and the wire are a model; what is covered, the buffer and the order in which the writer works are the real
ones.
"""

from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from random import Random
from typing import Any

from strandline.feeds.tick_buffer import TickBuffer
from strandline.model.instants import microseconds
from strandline.venues.coverage import StreamCoverage
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from tests.feeds.environment import START

TOKENS = ("BTC", "ETH")
MILLISECOND = timedelta(milliseconds=1)
PONG, BROKEN, CONFIRMED = "pong", "broken", "confirmed"


class StreamOfTrades:
    """Everything that may happen between a venue and the table of ticks."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.now = START
        self.coverage = StreamCoverage()
        self.buffer = TickBuffer(lambda: self.now)
        self.buffer.accept_days(START.date(), START.date())
        self.trades: list[tuple[str, datetime, int]] = []  # token, time, id
        self.received: set[int] = set()
        self.committed: set[int] = set()
        self.published: datetime | None = None
        self.published_since: dict[str, datetime] = {}
        self.batch: tuple[datetime | None, dict[str, datetime], set[int]] | None = None
        self.connected = False
        self.streamed: frozenset[str] = frozenset()  # by the venue
        self.pings: deque[str] = deque()  # on their way to the venue
        self.frames: deque[tuple[str, Any]] = deque()  # on their way from it

    def happen(self) -> str:
        """Let something happen that can."""
        can = {
            self.wait: 1,
            self.trade: 6,
            self.connect: 4 * (not self.connected),
            self.subscribe: 2 * self.connected,
            self.ping: 2 * self.connected,
            self.go_well_for_a_while: self.connected,
            self.answer: 4 * bool(self.pings),
            self.deliver: 4 * bool(self.frames),
            self.lose_the_connection: self.connected,
            self.begin_to_write: 3 * (self.batch is None),
            self.commit: 3 * (self.batch is not None),
        }
        (event,) = self.random.choices(list(can), list(can.values()))
        event()
        return event.__name__

    def wait(self) -> None:
        self.now += self.random.randint(0, 20) * MILLISECOND

    def trade(self) -> None:
        """The venue has a trade; it is sent to those who have subscribed, in a frame that may arrive broken."""
        token, broken = self.random.choice(TOKENS), self.random.random() < 0.1
        self.now += MILLISECOND
        number = len(self.trades)
        self.trades.append((token, self.now, number))
        if token in self.streamed:
            self.frames.append((BROKEN, None) if broken else (token, (self.now, number)))

    def connect(self) -> None:
        self.connected = True

    def subscribe(self) -> None:
        """The venue confirms it when it gets there; the confirmation may take long to come back."""
        tokens = self.random.choice([frozenset(TOKENS), frozenset(TOKENS), frozenset(TOKENS[:1]), frozenset()])
        self.now += MILLISECOND
        self.coverage.unsettle(tokens & self.streamed)
        self.streamed = tokens
        self.frames.append((CONFIRMED, tokens))

    def ping(self) -> None:
        self.coverage.pinged(self.now)
        self.pings.append(PONG)

    def answer(self) -> None:
        self.now += MILLISECOND
        self.frames.append((self.pings.popleft(), None))

    def deliver(self) -> None:
        """Some frames arrive; a stall is when none does for long."""
        self._deliver(self.random.randint(1, 6))

    def go_well_for_a_while(self) -> None:
        """All that is on its way arrives, and so does the answer to another ping."""
        self.ping()
        while self.pings:
            self.answer()
        self._deliver(len(self.frames))

    def _deliver(self, count: int) -> None:
        for _ in range(min(count, len(self.frames))):
            kind, content = self.frames.popleft()
            if kind == PONG:
                self.coverage.answered()
            elif kind == BROKEN:
                self.coverage.interrupt()
            elif kind == CONFIRMED:
                if content == self.streamed:
                    self.coverage.settle(content)
            else:
                ts, number = content
                tick = (microseconds(ts), TOKENS.index(kind), number, 1.0, 1.0, b"b", b"t", b"s")
                self.buffer.add_ticks(HYPERLIQUID_PERPS, [tick])
                self.received.add(number)

    def lose_the_connection(self) -> None:
        self.connected = False
        self.streamed = frozenset()
        self.pings.clear()
        self.frames.clear()
        self.coverage.end()

    def begin_to_write(self) -> None:
        """The writer reads what is covered before it takes what is in the buffer."""
        through, since = self.coverage.through, dict(self.coverage.since)
        self.batch = (through, since, {*self.buffer.drain(self.now).ticks["trade_id"].tolist()})

    def commit(self) -> None:
        assert self.batch is not None
        self.published, self.published_since, numbers = self.batch
        self.committed |= numbers
        self.batch = None

    def check(self) -> None:
        """What is covered was received, and what is published is committed."""
        assert self.missing(self.coverage.since, self.coverage.through, self.received) == []
        assert self.missing(self.published_since, self.published, self.committed) == []

    def missing(self, since: Mapping[str, datetime], through: datetime | None, stored: set[int]) -> list[Any]:
        """The trades between these instants that are not there."""
        return [
            trade
            for trade in self.trades
            if through is not None
            and trade[0] in since
            and since[trade[0]] < trade[1] <= through
            and trade[2] not in stored
        ]


def test_what_is_said_to_be_covered_is_there() -> None:
    """Plain random walks: what must come together for a fault is too long for hypothesis to find."""
    published = 0
    for seed in range(600):
        stream = StreamOfTrades(Random(seed))
        history = []
        for _ in range(80):
            history.append(stream.happen())
            try:
                stream.check()
            except AssertionError as error:
                raise AssertionError(f"seed {seed}: {' '.join(history)}") from error
        published += stream.published is not None
    assert published > 300
