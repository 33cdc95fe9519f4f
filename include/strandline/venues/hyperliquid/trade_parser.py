"""Reads frames of trades with compiled code, as long as they look as the venue always writes them.

It decides nothing: a frame that differs in a single byte from the usual form is left to `wire.py`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

from strandline.venues.packed_ticks import TICK, PackedTicks

_FRAME: Final = b'{"channel":"trades","data":['
_COIN: Final = b'{"coin":"'
_SIDE: Final = b'","side":"'
_PRICE: Final = b'","px":"'
_SIZE: Final = b'","sz":"'
_TIME: Final = b'","time":'
_HASH: Final = b',"hash":"0x'
_ID: Final = b'","tid":'
_BUYER: Final = b',"users":["0x'
_SELLER: Final = b'","0x'
_END: Final = b'"]}'
_HASH_DIGITS: Final = 64
_ADDRESS_DIGITS: Final = 40
_SHORTEST_TRADE: Final = 240
"""Bytes; the constant parts alone are more."""
_TIME_LIMIT: Final = 253_402_300_800_000
# A number of 15 digits is a double, and so is a power of ten up to 22: their quotient is rounded once, as it must be.
_MOST_DIGITS: Final = 15
_MOST_DECIMALS: Final = 22
_POWERS_OF_TEN: Final = 10.0 ** np.arange(_MOST_DECIMALS + 1)
_ID_DIGITS: Final = 18

_TEXT_MESSAGE, _LONG, _LONGER = 0x81, 126, 127
_QUOTE, _POINT, _ZERO, _NINE, _COMMA = (ord(letter) for letter in '".09,')
_A, _B, _LOWER_A = ord("A"), ord("B"), ord("a")
_BOUGHT, _SOLD, _TRADE, _STREAM = (ord(letter) for letter in "bsts")
_REFUSED: Final = -1
_HASH_FACTOR: Final = 31
_HASH_MASK: Final = 0xFFFFFF


Bytes: TypeAlias = NDArray[np.uint8]
F = TypeVar("F", bound=Callable[..., Any])


class Coins(NamedTuple):
    """The coins' instrument ids, found by the bytes of their names."""

    slots: NDArray[np.int32]
    """By the name's hash: the coin's position in the other arrays, or -1. A coin whose slot is taken is in the next."""
    starts: NDArray[np.int64]
    names: NDArray[np.uint8]
    numbers: NDArray[np.int32]


def _compiled(function: F) -> F:
    return cast("F", njit(function))


def _entry_point(function: F) -> F:
    """Keep its machine code on disk where possible. All that it calls is in this file, whose date numba looks at."""
    try:
        return cast("F", njit(function, cache=True))
    except RuntimeError:  # no writable cache directory: each process compiles
        return cast("F", njit(function))


def index(numbers: Mapping[str, int]) -> Coins:
    """Index these instrument ids."""
    names = [name.encode() for name in numbers]
    slots = np.full(1 << (4 * len(names)).bit_length(), -1, np.int32)
    for position, name in enumerate(names):
        slot = 0
        for byte in name:
            slot = (slot * _HASH_FACTOR + byte) & _HASH_MASK
        while slots[slot % len(slots)] >= 0:
            slot += 1
        slots[slot % len(slots)] = position
    starts = np.cumsum([0, *map(len, names)], dtype=np.int64)
    return Coins(slots, starts, np.frombuffer(b"".join(names), np.uint8), np.array([*numbers.values()], np.int32))


def parse(data: bytes, at: int, coins: Coins) -> tuple[int, int, PackedTicks]:
    """Read WebSocket frames from there on, up to the first that is not whole, or not of the usual form.

    Returns where that one begins, how many were read, and their trades.
    """
    ticks = np.empty((len(data) - at) // _SHORTEST_TRADE + 1, TICK)
    end, frames, count = _parse(np.frombuffer(data, np.uint8), at, coins, ticks)
    return end, frames, ticks[:count]


@_compiled
def _skip(data: Bytes, at: int, end: int, text: bytes | Bytes) -> int:
    """Return where the text ends that must be there."""
    if at < 0 or at + len(text) > end:
        return _REFUSED
    for number in range(len(text)):
        if data[at + number] != text[number]:
            return _REFUSED
    return at + len(text)


@_compiled
def _skip_hex(data: Bytes, at: int, end: int, digits: int) -> int:
    if at < 0 or at + digits > end:
        return _REFUSED
    # All of one byte's width and without a branch, so that sixteen are looked at in one instruction.
    wrong = np.uint8(0)
    for letter in data[at : at + digits]:
        no_digit = np.uint8(np.uint8(letter - np.uint8(_ZERO)) > np.uint8(9))
        no_letter = np.uint8(np.uint8(letter - np.uint8(_LOWER_A)) > np.uint8(5))
        wrong = np.uint8(wrong | no_digit & no_letter)
    return _REFUSED if wrong else at + digits


@_compiled
def _skip_amount(data: Bytes, at: int, end: int) -> tuple[int, float]:
    """Return where a decimal number ends, and its value."""
    if at < 0 or at >= end:
        return _REFUSED, 0.0
    start, mantissa, digits, point = at, 0, 0, 0
    while at < end:
        letter = data[at]
        if _ZERO <= letter <= _NINE:
            mantissa = mantissa * 10 + (letter - _ZERO)
            digits += mantissa > 0
            if digits > _MOST_DIGITS:
                return _REFUSED, 0.0
        elif letter == _POINT and point == 0 and at > start:
            point = at
        else:
            break
        at += 1
    whole = (point or at) - start
    decimals = at - point - 1 if point else 0
    if whole == 0 or (whole > 1 and data[start] == _ZERO) or (point and decimals == 0) or decimals > _MOST_DECIMALS:
        return _REFUSED, 0.0
    return at, mantissa / _POWERS_OF_TEN[decimals]


@_compiled
def _skip_integer(data: Bytes, at: int, end: int, most_digits: int) -> tuple[int, int]:
    if at < 0 or at >= end or data[at] == _ZERO:
        return _REFUSED, 0
    start, value = at, 0
    while at < end and _ZERO <= data[at] <= _NINE:
        if at - start == most_digits:
            return _REFUSED, 0
        value = value * 10 + (data[at] - _ZERO)
        at += 1
    return (at, value) if at > start else (_REFUSED, 0)


@_compiled
def _skip_coin(data: Bytes, at: int, end: int, coins: Coins) -> tuple[int, int]:
    """Return where the name ends, and the coin's position."""
    if at < 0:
        return _REFUSED, 0
    start, slot = at, 0
    while at < end and data[at] != _QUOTE:
        slot = (slot * _HASH_FACTOR + data[at]) & _HASH_MASK
        at += 1
    while True:
        coin = coins.slots[slot % len(coins.slots)]
        if coin < 0:
            return _REFUSED, 0
        name = coins.names[coins.starts[coin] : coins.starts[coin + 1]]
        if len(name) == at - start and _skip(data, start, end, name) == at:
            return at, coin
        slot += 1


@_compiled
def _trade(data: Bytes, at: int, end: int, coins: Coins, tick: Any) -> int:  # noqa: ANN401  numba has no name for a record
    """Read a trade into the tick; return where it ends."""
    at, coin = _skip_coin(data, _skip(data, at, end, _COIN), end, coins)
    at = _skip(data, at, end, _SIDE)
    if at < 0 or at >= end or not (data[at] == _A or data[at] == _B):
        return _REFUSED
    tick.side = _BOUGHT if data[at] == _B else _SOLD
    at, tick.price = _skip_amount(data, _skip(data, at + 1, end, _PRICE), end)
    at, tick.size = _skip_amount(data, _skip(data, at, end, _SIZE), end)
    at, time = _skip_integer(data, _skip(data, at, end, _TIME), end, _MOST_DIGITS)
    if time >= _TIME_LIMIT:
        return _REFUSED
    at = _skip_hex(data, _skip(data, at, end, _HASH), end, _HASH_DIGITS)
    at, tick.trade_id = _skip_integer(data, _skip(data, at, end, _ID), end, _ID_DIGITS)
    at = _skip_hex(data, _skip(data, at, end, _BUYER), end, _ADDRESS_DIGITS)
    at = _skip_hex(data, _skip(data, at, end, _SELLER), end, _ADDRESS_DIGITS)
    at = _skip(data, at, end, _END)
    tick.ts = time * 1000
    tick.instrument_id = coins.numbers[coin]
    tick.kind = _TRADE
    tick.source = _STREAM
    return at


@_compiled
def _content(data: Bytes, at: int) -> tuple[int, int]:
    """Return where a text message begins and ends; the end is beyond the data if it is not whole."""
    if at + 4 > len(data) or data[at] != _TEXT_MESSAGE or data[at + 1] >= _LONGER:
        return 0, len(data) + 1
    if data[at + 1] < _LONG:
        return at + 2, at + 2 + data[at + 1]
    return at + 4, at + 4 + (data[at + 2] << 8 | data[at + 3])


@_entry_point
def _parse(data: Bytes, at: int, coins: Coins, ticks: PackedTicks) -> tuple[int, int, int]:
    frames, count = 0, 0
    while True:
        start, end = _content(data, at)
        if end > len(data):
            return at, frames, count
        position, found = _skip(data, start, end, _FRAME), count
        while True:
            position = _trade(data, position, end, coins, ticks[found])
            if position < 0:
                return at, frames, count
            found += 1
            if position + 2 == end and data[position] == 93 and data[position + 1] == 125:
                break
            if position >= end or data[position] != _COMMA:
                return at, frames, count
            position += 1
        at, frames, count = end, frames + 1, found
