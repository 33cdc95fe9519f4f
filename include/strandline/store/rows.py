"""Converts records to rows and back: a field has the column of its name, a nested record its columns beside them."""

from collections.abc import Collection, Mapping
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
from sqlalchemy import Row

from strandline.model.exact import Exact
from strandline.model.record import Record

R = TypeVar("R", bound=Record)

_COLUMN_OF: Final = {"cycle": "cycle_t"}
"""Fields whose column has another name."""


def to_row(record: Record) -> dict[str, Any]:
    """Return the record's columns as parameters of a statement."""
    row: dict[str, Any] = {}
    for name in record.__struct_fields__:
        value = getattr(record, name)
        if isinstance(value, Record):
            row |= to_row(value)
        else:
            row[_COLUMN_OF.get(name, name)] = _to_column(value)
    return row


def from_row(kind: type[R], row: Row[Any]) -> R:
    """Build the record from a row that has all of its columns, and may have others.

    A nested record whose columns are all null, as after an outer join, becomes its default.
    """
    return msgspec.convert(_fields_from(kind, row._asdict()), kind, dec_hook=_from_column)


def values(columns: Collection[str]) -> str:
    """Return the columns and parameters of an INSERT: `(a, b) VALUES (:a, :b)`."""
    return f"({', '.join(columns)}) VALUES ({', '.join(f':{column}' for column in columns)})"


def updates(columns: Collection[str], *, key: Collection[str]) -> str:
    """Return the assignments of an upsert, for all columns but the key: `a = EXCLUDED.a, b = EXCLUDED.b`."""
    return ", ".join(f"{column} = EXCLUDED.{column}" for column in columns if column not in key)


class _Field(NamedTuple):
    name: str
    column: str
    nested: type[Record] | None


@cache
def _fields(kind: type[Record]) -> tuple[_Field, ...]:
    return tuple(
        _Field(
            field.name,
            _COLUMN_OF.get(field.name, field.name),
            field.type if isinstance(field.type, type) and issubclass(field.type, Record) else None,
        )
        for field in msgspec.structs.fields(kind)
    )


@cache
def _optional(kind: type[Record]) -> bool:
    return not any(field.required for field in msgspec.structs.fields(kind))


def _fields_from(kind: type[Record], row: Mapping[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for field in _fields(kind):
        if field.nested is None:
            fields[field.name] = row[field.column]
            continue
        nested = _fields_from(field.nested, row)
        absent = _optional(field.nested) and all(value is None for value in nested.values())
        fields[field.name] = {} if absent else nested
    return fields


def _to_column(value: object) -> object:
    if isinstance(value, Exact):
        return value.decimal
    if isinstance(value, Enum):
        return value.value
    return list(value) if isinstance(value, tuple) else value


def _from_column(kind: type, value: object) -> object:
    if issubclass(kind, Exact) and isinstance(value, Decimal | int):
        return kind(value)
    raise TypeError(f"cannot read {kind.__name__} from {value!r}")
