"""Converts the strategy's parameters to a record for the compiled step, under the same names."""

from typing import Any, Final

import numpy as np

from strandline.engine.records import Records
from strandline.model.record import Record
from strandline.model.strategy import Strategy

_SECTIONS: Final = ("history", "indicators", "levels", "states", "flags", "scores")


def parameters(strategy: Strategy) -> Records:
    """One record, whose fields compiled code reads like those of the strategy."""
    sections = {name: getattr(strategy, name) for name in _SECTIONS}
    return np.array([_values(sections)], dtype=_type(sections))


def _fields(section: Any) -> dict[str, Any]:  # noqa: ANN401  a record, or the names of several
    return (
        {name: getattr(section, name) for name in section.__struct_fields__} if isinstance(section, Record) else section
    )


def _type(section: Any) -> np.dtype[np.void]:  # noqa: ANN401
    return np.dtype([(name, *_field_type(value)) for name, value in _fields(section).items()], align=True)


def _field_type(value: Any) -> tuple[Any, ...]:  # noqa: ANN401
    if isinstance(value, Record):
        return (_type(value),)
    if isinstance(value, tuple):
        return (_field_type(value[0])[0], (len(value),))
    return ("i8" if isinstance(value, int) else "f8",)


def _values(section: Any) -> tuple[Any, ...]:  # noqa: ANN401
    return tuple(_values(value) if isinstance(value, Record) else value for value in _fields(section).values())
