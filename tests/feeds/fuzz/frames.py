"""Draws fuzzed frames. How much each must count is known by its construction, so that nothing has to parse it here."""

import json
import random
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

_DEEP: Final = 100_000
_LARGEST_FRAME: Final = 2**20


class Fuzzed(NamedTuple):
    """A frame, and how many trades or messages the sidecar must count for it, accepted or refused."""

    kind: str
    payload: bytes
    counted: int
    is_text: bool = True


class Fuzz:
    """Draws one frame after the other. `new_trade` returns the record of a trade that is never sent unharmed."""

    def __init__(self, rng: random.Random, new_trade: Callable[[], dict[str, Any]]) -> None:
        self._rng = rng
        self._new_trade = new_trade
        self._makers: Sequence[Callable[[], Fuzzed]] = (
            self._cut_off,
            self._bits_flipped,
            self._bytes_replaced,
            self._deep,
            self._huge_number,
            self._huge_string,
            self._wrong_field,
            self._wrong_items,
            self._half_a_character,
            self._wrong_shape,
            self._other_channel,
            self._random_bytes,
            self._binary,
        )

    def frame(self) -> Fuzzed:
        """Draw the next one."""
        return self._rng.choice(self._makers)()

    def oversized(self) -> bytes:
        """A frame of good trades, which is larger than any that is read."""
        trade = self._new_trade() | {"hash": "0x" + "f" * _LARGEST_FRAME}
        return _frame([trade])

    def _one(self) -> bytes:
        return _frame([self._new_trade()])

    def _many(self) -> list[Any]:
        return [self._new_trade() for _ in range(self._rng.randint(1, 12))]

    def _cut_off(self) -> Fuzzed:
        whole = _frame(self._many())
        return Fuzzed("cut off", whole[: self._rng.randrange(len(whole))], 1)

    def _bits_flipped(self) -> Fuzzed:
        """A frame of one trade counts one, whatever becomes of it."""
        changed = bytearray(self._one())
        for _ in range(self._rng.randint(1, 4)):
            changed[self._rng.randrange(len(changed))] ^= 1 << self._rng.randrange(8)
        return Fuzzed("bits flipped", bytes(changed), 1)

    def _bytes_replaced(self) -> Fuzzed:
        changed = bytearray(self._one())
        at = self._rng.randrange(len(changed))
        changed[at : at + self._rng.randint(0, 9)] = self._rng.randbytes(self._rng.randint(1, 9))
        return Fuzzed("bytes replaced", bytes(changed), 1)

    def _deep(self) -> Fuzzed:
        opening, closing = self._rng.choice(((b"[", b"]"), (b'{"a":', b"}")))
        depth = self._rng.choice((3, 50, _DEEP // len(opening)))
        nested = opening * depth + b"1" + closing * depth
        if self._rng.random() < 0.3:
            nested = nested[: len(nested) // 2]
        whole = self._one()
        frames = (
            nested,
            b'{"channel":"trades","data":' + nested + b',"more":1}' if nested[:1] == b"{" else nested,
            b'{"channel":"trades","data":[' + nested + b"]}",
            whole.replace(b'"hash"', b'"extra":' + nested + b',"hash"'),
        )
        return Fuzzed("deep", self._rng.choice(frames), 1)

    def _huge_number(self) -> Fuzzed:
        rng = self._rng
        name = rng.choice(("px", "sz", "time", "tid"))
        digits = rng.choice("123456789") + "".join(rng.choices("0123456789", k=rng.choice((18, 19, 20, 40, 400, 5000))))
        number = rng.choice((digits, f"-{digits}", f"0.{digits}", f"{digits[:3]}e{rng.choice((5, 308, 309, 99999))}"))
        number = rng.choice((number, f"{digits[:3]}e-{rng.choice((5, 308, 324, 99999))}", "0", "-0.0", "1e-320"))
        text = number if rng.random() < 0.5 else json.dumps(number)
        record = json.dumps(self._new_trade() | {name: "@"}).replace('"@"', text)
        return Fuzzed("huge number", b'{"channel":"trades","data":[' + record.encode() + b"]}", 1)

    def _huge_string(self) -> Fuzzed:
        rng = self._rng
        name = rng.choice(("coin", "px", "side", "hash", "users", "unknown"))
        length = rng.choice((1_000, 30_000, 200_000))
        text = rng.choice(("x", "9", "\\", "é", "\x00")) * (length // 6)
        return Fuzzed("huge string", _frame([self._new_trade() | {name: text}]), 1)

    def _wrong_field(self) -> Fuzzed:
        """Broken trades among good ones: each counts one, good or not."""
        trades = self._many()
        for trade in self._rng.sample(trades, self._rng.randint(1, len(trades))):
            name = self._rng.choice(("coin", "side", "px", "sz", "time", "tid"))
            if self._rng.random() < 0.3:
                del trade[name]
            else:
                trade[name] = self._anything()
        return Fuzzed("wrong field", _frame(trades), len(trades))

    def _wrong_items(self) -> Fuzzed:
        items = [self._new_trade() if self._rng.random() < 0.5 else self._anything() for _ in range(8)]
        return Fuzzed("wrong items", _frame(items), len(items))

    def _half_a_character(self) -> Fuzzed:
        """Half of a surrogate pair is no text, so the frame is no JSON, whatever else is in it."""
        trades = self._many()
        self._rng.choice(trades)[self._rng.choice(("coin", "px", "hash"))] = "\ud800"
        return Fuzzed("half a character", _frame(trades), 1)

    def _wrong_shape(self) -> Fuzzed:
        """JSON that is no frame of trades; a frame without trades counts nothing."""
        shape = self._rng.choice(("value", "data", "no data", "no channel", "empty"))
        if shape == "empty":
            return Fuzzed("empty", b'{"channel":"trades","data":[]}', 0)
        message: Any = {
            "value": self._no_dict(),
            "data": {"channel": "trades", "data": self._no_list()},
            "no data": {"channel": "trades"},
            "no channel": {"data": self._many()},
        }[shape]
        return Fuzzed("wrong shape", json.dumps(message).encode(), 1)

    def _other_channel(self) -> Fuzzed:
        """Errors and confirmations of what was never asked count nothing, if they can be read."""
        subscription = {"method": "subscribe", "subscription": {"type": "trades", "coin": "NOBODY"}}
        message, counted = self._rng.choice(
            (
                ({"channel": "error", "data": "what?"}, 0),
                ({"channel": "error", "data": 5}, 1),
                ({"channel": "error"}, 1),
                ({"channel": "subscriptionResponse", "data": subscription}, 0),
                ({"channel": "subscriptionResponse", "data": {"method": "subscribe"}}, 1),
                ({"channel": "subscriptionResponse", "data": []}, 1),
                ({"channel": "pong", "data": [[]]}, 0),
                ({"channel": "l2Book", "data": {}}, 1),
                ({"channel": "x" * 3000, "data": None}, 1),
                ({"channel": "", "data": "trades"}, 1),
                ({"channel": None, "data": []}, 1),
                ({"channel": ["trades"], "data": self._many()}, 1),
            )
        )
        return Fuzzed("other channel", json.dumps(message).encode(), counted)

    def _random_bytes(self) -> Fuzzed:
        data = self._rng.randbytes(self._rng.choice((0, 1, 2, 50, 5_000)))
        return Fuzzed("random bytes", data, 1, is_text=self._rng.random() < 0.5)

    def _binary(self) -> Fuzzed:
        """Good trades in a frame that is said to be binary."""
        trades = self._many()
        return Fuzzed("binary", _frame(trades), len(trades), is_text=False)

    def _anything(self) -> Any:
        rng = self._rng
        return rng.choice(
            (
                None, True, False, 0, -1, 2**31, 2**53 + 1, 2**64, -(2**70), 1.5, -0.0, 1e308, [], {}, [[]],
                {"coin": {}}, "", "A", "B", "BTC", " 1 ", "1_0", "0x10", "nan", "inf", "-inf", "1e400", "٣", "\x00",
                "é" * 50, rng.getrandbits(50), str(rng.getrandbits(80)),
            )
        )  # fmt: skip

    def _no_dict(self) -> Any:
        value = self._anything()
        return [value] if isinstance(value, dict) else value

    def _no_list(self) -> Any:
        value = self._anything()
        return {"list": value} if isinstance(value, list) else value


def _frame(items: Sequence[Any]) -> bytes:
    return json.dumps({"channel": "trades", "data": items}).encode()
