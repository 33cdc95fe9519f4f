"""The tape: trades that are drawn from a seed, and the frames in which the venue sends them."""

import json
import random
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

MAJORS: Final = ("BTC", "ETH", "SOL", "HYPE", "BNB")
UNWATCHED: Final = "UNWATCHED"
"""Listed by the venue, and subscribed to by nobody."""

_REPLAYED: Final = 30
_REMEMBERED: Final = 400
_LATEST_MS: Final = 1_000
_MINUTE_MS: Final = 60_000
_ID_BITS: Final = 50
_NOISY: Final = 8
"""So many coins have trades whose record is broken: each of them is asked for candles later, within a rate limit."""


class Trade(NamedTuple):
    """A trade of the venue; `withheld` says that its record was sent broken only."""

    coin: str
    time: int
    tid: int
    px: str
    sz: str
    side: str
    hash: str
    withheld: bool = False


class Frame(NamedTuple):
    """One frame: to those who subscribe to the coin, or to any one socket."""

    coin: str | None
    payload: bytes
    is_text: bool = True


class Wanted(NamedTuple):
    """What a seed is asked for. `past` is how far back late trades may lie, in milliseconds before the start."""

    seed: int
    coins: int
    past_ms: int = 0
    broken_share: float = 0.0005
    interruptions: Sequence[float] = ()
    trades: int = 0
    asides: float = 0.01


class Coin:
    """One coin's price, and its trades that may be sent again."""

    def __init__(self, name: str, rng: random.Random) -> None:
        self.name = name
        self.price = 10 ** rng.uniform(-5, 5)
        self.decimals = max(0, 4 - int(f"{self.price:e}".rpartition("e")[2]))
        self.size_decimals = rng.choice((0, 1, 2, 3, 5))
        self.recent: deque[str] = deque(maxlen=_REPLAYED)
        self.earlier: list[str] = []
        self.ids: dict[int, int] = {}

    def px(self, rng: random.Random) -> str:
        self.price *= 1 + rng.gauss(0, 2e-4)
        smallest = 10.0**-self.decimals
        return f"{max(self.price, smallest):.{self.decimals}f}"

    def sz(self, rng: random.Random) -> str:
        units = 1 + int(rng.expovariate(1 / 500))
        return str(Decimal(units).scaleb(-self.size_decimals))

    def remember(self, record: str, rng: random.Random) -> None:
        self.recent.append(record)
        if len(self.earlier) < _REMEMBERED:
            self.earlier.append(record)
        elif rng.random() < 0.02:
            self.earlier[rng.randrange(_REMEMBERED)] = record


class Market:
    """Draws frames one after the other. Which trades come next follows from the seed, their times from the clock."""

    def __init__(self, wanted: Wanted, started_ms: int, on_trade: Callable[[Trade], None]) -> None:
        self._rng = random.Random(wanted.seed)
        self._wanted = wanted
        self._started_ms = started_ms
        self._on_trade = on_trade
        names = coin_names(wanted.coins)
        self.coins: Mapping[str, Coin] = {name: Coin(name, self._rng) for name in names}
        self._weights = [1 / (rank + 5) for rank in range(len(names))]
        self._names = names
        self._interruptions = deque(int(share * wanted.trades) for share in wanted.interruptions)
        self.emitted = 0
        self.expected: Counter[str] = Counter()
        """What the sidecar must count, by kind; `quarantined` is the sum of all that it must refuse."""
        self.marked: Counter[tuple[str, int]] = Counter()
        """Trades that were refused though their coin and their time were clear, by coin and minute."""

    def frames(self, now: int) -> list[Frame]:
        """The next frame of trades, and what comes with it."""
        rng = self._rng
        coin = self.coins[rng.choices(self._names, self._weights)[0]]
        records = self._new_records(coin, now)
        if rng.random() < 0.04 and coin.recent:
            records += rng.sample(sorted(coin.recent), min(3, len(coin.recent)))
            self.expected["repeated"] += min(3, len(coin.recent))
        if rng.random() < 0.03 and coin.earlier:
            records.append(rng.choice(coin.earlier))
            self.expected["repeated"] += 1
        if rng.random() < 0.3:
            rng.shuffle(records)
        if coin.name in self._names[-_NOISY:] and rng.random() < self._wanted.broken_share * len(self._names):
            records.insert(rng.randrange(len(records) + 1), self._broken(coin, now))
        frames = [_trades(coin.name, records)]
        if rng.random() < 0.02:
            frames.append(frames[0])
            self.expected["repeated"] += len(records)
            self._count_again(frames[0])
        if rng.random() < self._wanted.asides:
            frames.append(self._aside(now))
        if self._interruptions and self.emitted >= self._interruptions[0]:
            self._interruptions.popleft()
            frames.append(self._interrupting(coin, now))
        return frames

    def replay(self, name: str) -> Frame | None:
        """What the venue sends on a subscription: the newest trades once more."""
        coin = self.coins.get(name)
        return _trades(name, list(coin.recent)) if coin and coin.recent else None

    def unsent_record(self, now: int) -> dict[str, Any]:
        """The record of a trade that never was."""
        coin = self.coins[self._rng.choice(self._names)]
        record: dict[str, Any] = json.loads(_record(self._trade(coin, now, _hash(self._rng))))
        return record

    def _new_records(self, coin: Coin, now: int) -> list[str]:
        rng = self._rng
        count = min(60, 1 + int(rng.expovariate(1 / 9)))
        shared = _hash(rng) if rng.random() < 0.4 else None
        late = self._wanted.past_ms and rng.random() < 0.5
        records = []
        for _ in range(count):
            at = self._past() if late else self._near(now)
            trade = self._trade(coin, at, shared or _hash(rng))
            self._on_trade(trade)
            self.emitted += 1
            record = _record(trade)
            records.append(record)
            coin.remember(record, rng)
        return records

    def _near(self, now: int) -> int:
        """Now, or up to a second ago; often on the boundary of a minute, if one is so near."""
        rng = self._rng
        boundary = now - now % _MINUTE_MS
        if now - boundary < _LATEST_MS and rng.random() < 0.3:
            return boundary - rng.randrange(2)
        return now - (rng.randrange(_LATEST_MS) if rng.random() < 0.1 else rng.randrange(30))

    def _past(self) -> int:
        """Before the start, in a minute of its own: at its first or last millisecond quite often."""
        rng = self._rng
        at = self._started_ms - 2 * _MINUTE_MS - rng.randrange(self._wanted.past_ms)
        if rng.random() < 0.05:
            at -= at % _MINUTE_MS + rng.randrange(2)
        return at

    def _trade(self, coin: Coin, at: int, hash_: str, *, withheld: bool = False) -> Trade:
        rng = self._rng
        # The venue's ids are unique only together with the coin and the time.
        tid = rng.choice(list(coin.ids)) if coin.ids and rng.random() < 0.001 else rng.getrandbits(_ID_BITS)
        if coin.ids.get(tid, at) >= at:
            tid = rng.getrandbits(_ID_BITS)
        if len(coin.ids) < 50 or rng.random() < 0.001:
            coin.ids[tid] = at
        return Trade(coin.name, at, tid, coin.px(rng), coin.sz(rng), rng.choice("AB"), hash_, withheld)

    def _broken(self, coin: Coin, now: int) -> str:
        """A trade that happened and whose record cannot be, or the record of a trade that never was."""
        rng = self._rng
        if rng.random() < 0.5:
            trade = self._trade(coin, self._near(now), _hash(rng), withheld=True)
            self._on_trade(trade)
            self.emitted += 1
            self.expected["withheld"] += 1
        else:
            trade = self._trade(coin, self._near(now), _hash(rng))
        self.expected["quarantined"] += 1
        self.marked[coin.name, trade.time - trade.time % _MINUTE_MS] += 1
        fields = json.loads(_record(trade))
        name, value = rng.choice(_FAULTS)
        if value is None:
            del fields[name]
        else:
            fields[name] = value
        return json.dumps(fields)

    def _count_again(self, frame: Frame) -> None:
        """A frame that is sent twice is refused twice."""
        for record in json.loads(frame.payload)["data"]:
            if any(record.get(name, _GONE) == (_GONE if value is None else value) for name, value in _FAULTS):
                self.expected["quarantined"] += 1
                self.marked[record["coin"], record["time"] - record["time"] % _MINUTE_MS] += 1

    def _aside(self, now: int) -> Frame:
        """A frame that belongs to no coin."""
        rng = self._rng
        kind = rng.choice(("unwatched", "error", "channel", "empty", "greeting"))
        self.expected[kind] += 1
        if kind == "unwatched":
            self.expected["quarantined"] += 2
            foreign = [_record(self._trade(Coin(UNWATCHED, rng), now, _hash(rng))) for _ in range(2)]
            return Frame(None, _trades(UNWATCHED, foreign).payload)
        if kind == "error":
            return Frame(None, b'{"channel":"error","data":"Too many requests, id=7"}')
        if kind == "channel":
            self.expected["quarantined"] += 1
            return Frame(None, b'{"channel":"notification","data":{"notification":"maintenance"}}')
        if kind == "empty":
            return Frame(None, b'{"channel":"trades","data":[]}')
        return Frame(None, b"Websocket connection established.")

    def _interrupting(self, coin: Coin, now: int) -> Frame:
        """A frame of which nobody can say which trades it held."""
        self.expected["interruptions"] += 1
        self.expected["quarantined"] += 1
        whole = _trades(coin.name, [_record(self._trade(coin, now, _hash(self._rng)))]).payload
        return Frame(
            None,
            self._rng.choice((b"no JSON", whole[:-9], b'{"channel":"trades","data":{}}', b"\xff\xfe" + whole)),
            is_text=False,
        )


_GONE: Final = object()
_FAULTS: Final[Sequence[tuple[str, Any]]] = (
    ("px", "abc"), ("px", None), ("px", []), ("px", "nan"), ("px", "1e999"), ("sz", None), ("sz", "-1"), ("sz", {}),
    ("side", "X"), ("side", 1), ("tid", "x"), ("tid", None), ("tid", 2**70), ("px", "0.0"), ("px", "-5"), ("sz", "0"),
    ("tid", -7),
)  # fmt: skip


def coin_names(count: int) -> list[str]:
    """The majors, and others."""
    return [*MAJORS, *(f"T{number:03}" for number in range(count - len(MAJORS)))]


def stormy(rng: random.Random) -> float:
    """An instant of the run, as a share: between the storms many minutes are complete."""
    return rng.choice((rng.uniform(0.05, 0.25), rng.uniform(0.6, 0.75)))


def _trades(coin: str, records: Sequence[str]) -> Frame:
    return Frame(coin, f'{{"channel":"trades","data":[{",".join(records)}]}}'.encode())


def _record(trade: Trade) -> str:
    buyer, seller = f"{trade.tid:040x}", f"{trade.tid ^ 1:040x}"
    return (
        f'{{"coin":"{trade.coin}","side":"{trade.side}","px":"{trade.px}","sz":"{trade.sz}","time":{trade.time},'
        f'"hash":"{trade.hash}","tid":{trade.tid},"users":["0x{buyer}","0x{seller}"]}}'
    )


def _hash(rng: random.Random) -> str:
    """All zeros for the slices of a TWAP order."""
    return f"0x{0 if rng.random() < 0.05 else rng.getrandbits(256):064x}"
