"""Columns with one type each, whatever the rows are; also of no rows at all."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, TypeAlias

import numpy as np
import pandas as pd  # type: ignore[import-untyped]

FLOAT: Final = "float64"
INT: Final = "int64"
BOOL: Final = "bool"
TEXT: Final = "str"
INSTANT: Final = "datetime64[us, UTC]"
DECIMAL: Final = "decimal"
"""An exact number: a float, or `Decimal` objects where exact numbers are asked for."""

Kind: TypeAlias = str | type[StrEnum] | tuple[str, ...]
"""A type of NumPy or pandas, or the values of a categorical."""


def frame(
    kinds: Mapping[str, Kind], rows: Sequence[Sequence[Any]], *, index: str | None = "ts", exact: bool = False
) -> pd.DataFrame:
    """A frame of rows with these columns, by name and kind; null is NaN, NaT or None."""
    columns = list(zip(*rows, strict=True)) or [()] * len(kinds)
    made = pd.DataFrame(
        {name: column(kind, values, exact=exact) for (name, kind), values in zip(kinds.items(), columns, strict=True)}
    )
    return made.set_index(index) if index else made


def column(kind: Kind, values: Sequence[Any], *, exact: bool = False) -> pd.Series:
    """One column."""
    if kind == DECIMAL:
        return pd.Series(list(values), dtype=object) if exact else pd.Series(_floats(values), dtype=FLOAT)
    if kind == FLOAT:
        return pd.Series(_floats(values), dtype=FLOAT)
    if kind == INSTANT:
        return pd.Series(pd.to_datetime(list(values), utc=True).as_unit("us"))
    if isinstance(kind, str):
        return pd.Series(list(values), dtype=kind)
    categories = list(kind) if isinstance(kind, tuple) else [one.value for one in kind]
    return pd.Series(pd.Categorical(list(values), categories=categories))


def _floats(values: Sequence[float | Decimal | None]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([np.nan if value is None else float(value) for value in values], FLOAT)
