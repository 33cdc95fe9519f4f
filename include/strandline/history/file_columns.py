"""The columns that a file of trades, prices or bars must have, and those that it may have."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple

from strandline.venues.archive import BadFileError


class Kind(StrEnum):
    """What the rows of a file are."""

    TRADES = "trades"
    PRICES = "prices"
    BARS = "bars"
    TICKS = "archived ticks"
    """Of a day, as maintenance has moved them to a file: trades and prices of many instruments."""


class Piece(NamedTuple):
    """Some rows of a file that stand together, with their columns' values. `name` says which they are."""

    name: str
    kind: Kind
    columns: Mapping[str, Sequence[Any]]
    content_hash: str


REQUIRED: Final[Mapping[Kind, Sequence[str]]] = {
    Kind.TRADES: ("ts", "price", "size", "side"),
    Kind.PRICES: ("ts", "price"),
    Kind.BARS: ("ts", "open", "high", "low", "close", "volume"),
    Kind.TICKS: ("ts", "instrument_id", "trade_id", "price", "size", "side", "kind", "source"),
}
OPTIONAL: Final[Mapping[Kind, Sequence[str]]] = {
    Kind.TRADES: ("symbol", "trade_id"),
    Kind.PRICES: ("symbol",),
    Kind.BARS: ("symbol", "trades"),
    Kind.TICKS: (),
}
MAY_BE_NULL: Final[Mapping[Kind, Sequence[str]]] = {
    Kind.TRADES: (),
    Kind.PRICES: (),
    Kind.BARS: ("trades",),
    Kind.TICKS: ("size", "side"),
}


def kind_of(where: str, columns: Sequence[str]) -> Kind:
    """Tell trades, prices and bars from each other; raises `BadFileError` if a column is missing or unknown."""
    kind = Kind.BARS if "open" in columns else Kind.TRADES if {"size", "side"} & set(columns) else Kind.PRICES
    require_columns(where, kind, columns)
    return kind


def require_columns(where: str, kind: Kind, columns: Sequence[str]) -> None:
    """Raise `BadFileError` unless the file has the columns of its kind."""
    known = (*REQUIRED[kind], *OPTIONAL[kind])
    if len(columns) == 1 and (separators := {";", "\t", "|"} & set(columns[0])):
        raise BadFileError(f"{where}: the columns are separated by {separators.pop()!r}", "separate them by commas")
    faults = [f"no column {name}" for name in REQUIRED[kind] if name not in columns]
    faults += [f"an unknown column {name}" for name in columns if name not in known]
    faults += [f"two columns {name}" for name in known if list(columns).count(name) > 1]
    if faults:
        others = ", ".join(OPTIONAL[kind]) or "no other"
        raise BadFileError(
            f"{where}: {' and '.join(faults)}",
            f"{kind} have the columns {', '.join(REQUIRED[kind])} and may have {others}",
        )
