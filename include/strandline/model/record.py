"""The base of every domain type: frozen, typed, and limited to values that can be stored and read back."""

import math
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final, NoReturn, TypeVar

import msgspec

K = TypeVar("K")
V = TypeVar("V")


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A frozen value with named fields. Instants are UTC; floats are finite; text can be stored."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if type(value) in _UNCHECKED:
                continue
            if not _surely_fine(value):
                _check(f"{type(self).__name__}.{name}", value)
            if isinstance(value, dict) and type(value) is not FrozenDict:
                msgspec.structs.force_setattr(self, name, FrozenDict(value))
        self.check()

    def check(self) -> None:
        """Raise ValueError if the fields contradict each other. Types override this."""


class FrozenDict(dict[K, V]):
    """An immutable dict: records convert their mappings to it."""

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("a record's mapping is immutable")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))

    def __reduce__(self) -> tuple[Any, ...]:
        return FrozenDict, (dict(self),)


def require(holds: bool, otherwise: str) -> None:
    """Raise ValueError with the text unless the condition holds."""
    if not holds:
        raise ValueError(otherwise)


_UNCHECKED: Final = frozenset({int, bool, type(None)})


def _surely_fine(value: Any) -> bool:  # noqa: ANN401
    """Whether `_check` would pass, for nearly every value that does: planning makes tens of thousands of records."""
    kind = type(value)
    if kind is float:
        return math.isfinite(value)
    if kind is datetime:
        return value.tzinfo is UTC
    if kind is tuple:
        return all(map(_surely_fine, value))
    if kind is dict or kind is FrozenDict:
        return _all_fine(value) and _all_fine(value.values())
    if isinstance(value, str):
        return value.isascii() and "\0" not in value
    return _never_checked(kind)  # type: ignore[arg-type]  # mypy takes no type for hashable


def _all_fine(values: Collection[Any]) -> bool:
    """The same of many values, which mostly are of one type; a sum is finite only if all of its parts are."""
    kinds = set(map(type, values))
    if kinds == {str}:
        return _surely_fine("".join(values))
    return math.isfinite(sum(values)) if kinds == {float} else all(map(_surely_fine, values))


@cache
def _never_checked(kind: type) -> bool:
    """Whether `_check` has nothing to say about values of this type."""
    return not issubclass(kind, datetime | float | str | Mapping | tuple)


def _check(name: str, value: object) -> None:
    if isinstance(value, datetime):
        require(value.utcoffset() == timedelta(0), f"{name} must be an instant in UTC, got {value.isoformat()}")
    elif isinstance(value, float):
        require(math.isfinite(value), f"{name} must be a finite number, got {value}")
    elif isinstance(value, str):
        require(_storable(value), f"{name} contains a character that cannot be stored: {value!r}")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _check(f"{name} key", key)
            _check(f"{name}[{key}]", item)
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            _check(f"{name}[{index}]", item)


def _storable(text: str) -> bool:
    """Postgres stores no NUL, and a lone surrogate has no UTF-8."""
    return "\0" not in text and (text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text))
