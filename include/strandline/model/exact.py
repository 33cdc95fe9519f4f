"""Money, Amount, Price, Quantity, Ratio: exact decimal values that cannot be mixed up.

Values are normalised (`1.50` becomes `1.5`), so equal values have equal canonical bytes. Sums and products are exact,
or raise ValueError; only divisions round, always down.
"""

from __future__ import annotations

from decimal import (
    ROUND_DOWN,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
    Rounded,
    Subnormal,
    Underflow,
)
from typing import ClassVar, Final, Self, final

# Far more digits than any venue uses, so that hitting the limit is a fault and not a rounding.
_MAX_DIGITS: Final = 60
_EXACT: Final = Context(prec=2 * _MAX_DIGITS, traps=[InvalidOperation, DivisionByZero, Overflow, Underflow, Inexact])
_DIVISION: Final = Context(prec=_MAX_DIGITS, rounding=ROUND_DOWN, traps=[InvalidOperation, DivisionByZero, Overflow])


# Raises for what has more digits, before or after the point, than are allowed.
_LIMIT: Final = Context(
    prec=_MAX_DIGITS, Emin=1 - _MAX_DIGITS, Emax=_MAX_DIGITS - 1, traps=[Rounded, Overflow, Subnormal]
)
_ZERO: Final = Decimal(0)


def decimal_of(value: Decimal | int | str) -> Decimal:
    """Convert to a finite decimal. Floats raise TypeError: their digits are seldom those that were written."""
    if type(value) is Decimal and value.is_finite():
        return _normal(value)
    if isinstance(value, bool) or not isinstance(value, Decimal | int | str):
        raise TypeError(f"expected Decimal, int or str, got {type(value).__name__}: {value!r}")
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ValueError(f"not a decimal number: {value!r}") from None
    if not number.is_finite():
        raise ValueError(f"not a finite number: {value!r}")
    return _normal(number)


def decimal_of_float(value: float) -> Decimal:
    """Convert to the shortest decimal that reads back as this float: what was written, if it had up to 15 digits."""
    return decimal_of(repr(float(value)))


def _normal(number: Decimal) -> Decimal:
    if not number:
        return _ZERO
    try:
        return number.normalize(_LIMIT)
    except (Rounded, Overflow, Subnormal):
        raise ValueError(f"more than {_MAX_DIGITS} digits: {number:.6E}") from None


class Exact:
    """The base of the kinds: one decimal, immutable, comparable with its own kind only."""

    __slots__ = ("decimal",)
    decimal: Decimal
    lowest: ClassVar[Decimal | None] = None
    lowest_allowed: ClassVar[bool] = True

    def __init__(self, value: Decimal | int | str) -> None:
        number = decimal_of(value)
        low = self.lowest
        if low is not None and (number < low or (number == low and not self.lowest_allowed)):
            bound = "at least" if self.lowest_allowed else "above"
            raise ValueError(f"{type(self).__name__} must be {bound} {low}, got {number:f}")
        object.__setattr__(self, "decimal", number)

    @classmethod
    def from_float(cls, value: float) -> Self:
        """Convert a float, as from an indicator; see `decimal_of_float`."""
        return cls(decimal_of_float(value))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        return type(self), (str(self),)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.decimal == other.decimal

    def __lt__(self, other: Self) -> bool:
        return self.decimal < other.decimal if type(other) is type(self) else NotImplemented

    def __le__(self, other: Self) -> bool:
        return self.decimal <= other.decimal if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash((type(self).__name__, self.decimal))

    def __bool__(self) -> bool:
        return bool(self.decimal)

    def __float__(self) -> float:
        return float(self.decimal)

    def __str__(self) -> str:
        return f"{self.decimal:f}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}('{self}')"


class _Additive(Exact):
    """The kinds that can be added and subtracted."""

    __slots__ = ()

    def __add__(self, other: Self) -> Self:
        if type(other) is not type(self):
            return NotImplemented
        if not other.decimal:
            return self
        return type(self)(_EXACT.add(self.decimal, other.decimal)) if self.decimal else other

    def __sub__(self, other: Self) -> Self:
        if type(other) is not type(self):
            return NotImplemented
        return type(self)(_EXACT.subtract(self.decimal, other.decimal)) if other.decimal else self


@final
class Money(_Additive):
    """An amount in US dollars; stablecoins count as 1. May be negative."""

    __slots__ = ()

    def __neg__(self) -> Money:
        return Money(self.decimal.copy_negate())

    def __mul__(self, ratio: Ratio) -> Money:
        return Money(_EXACT.multiply(self.decimal, _of(Ratio, ratio)))

    def buys(self, price: Price, lot: Quantity) -> Quantity:
        """Return the quantity that this amount pays for at `price`, rounded down to whole lots."""
        return Quantity(_DIVISION.divide(self.decimal, _of(Price, price))).in_lots(lot)

    def per(self, quantity: Quantity, places: int = 18) -> Price:
        """Return the price per unit, rounded down to `places` decimals."""
        cut = Decimal(1).scaleb(-places)
        return Price(_DIVISION.divide(self.decimal, _of(Quantity, quantity)).quantize(cut, context=_DIVISION))


@final
class Amount(_Additive):
    """Units of an asset that were received or, if negative, paid; SOL for gas, for example."""

    __slots__ = ()

    def __neg__(self) -> Amount:
        return Amount(self.decimal.copy_negate())

    def at(self, price: Price) -> Money:
        """Return its value at this price."""
        return Money(_EXACT.multiply(self.decimal, _of(Price, price)))


@final
class Price(Exact):
    """US dollars for one unit; always above zero."""

    __slots__ = ()
    lowest = Decimal(0)
    lowest_allowed = False

    def __mul__(self, quantity: Quantity) -> Money:
        return Money(_EXACT.multiply(self.decimal, _of(Quantity, quantity)))

    def scaled(self, ratio: Ratio) -> Price:
        """Return the price times a ratio, as in `entry.scaled(Ratio('0.92'))`."""
        return Price(_EXACT.multiply(self.decimal, _of(Ratio, ratio)))


@final
class Quantity(_Additive):
    """Units of an instrument that are held, bought or sold. Never negative: selling more than is held raises."""

    __slots__ = ()
    lowest = Decimal(0)

    def __mul__(self, price: Price) -> Money:
        return Money(_EXACT.multiply(self.decimal, _of(Price, price)))

    def scaled(self, ratio: Ratio) -> Quantity:
        """Return the quantity times a ratio; round it with `in_lots` before it is sent to a venue."""
        return Quantity(_EXACT.multiply(self.decimal, _of(Ratio, ratio)))

    def in_lots(self, lot: Quantity) -> Quantity:
        """Round down to a multiple of `lot`."""
        if not lot:
            raise ValueError("a lot must be above zero")
        lots = _DIVISION.divide_int(self.decimal, _of(Quantity, lot))
        return Quantity(_EXACT.multiply(lots, lot.decimal))


@final
class Ratio(_Additive):
    """A factor for money, prices and quantities; never negative."""

    __slots__ = ()
    lowest = Decimal(0)

    def __mul__(self, ratio: Ratio) -> Ratio:
        return Ratio(_EXACT.multiply(self.decimal, _of(Ratio, ratio)))


def _of(kind: type[Exact], value: Exact) -> Decimal:
    """Return the value's decimal, after checking its kind: a wrong unit would be a wrong amount of money."""
    if type(value) is not kind:
        raise TypeError(f"expected {kind.__name__}, got {value!r}")
    return value.decimal
