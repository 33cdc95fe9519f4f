"""Canonical bytes of a value: JSON in the form of RFC 8785, and SHA-256 over it.

Equal records have equal bytes, in every process, on every supported Python, in any other language that follows the
RFC, and reading them gives an equal record. Strands, proofs and the hashes in XCom depend on this.
"""

import base64
import hashlib
from datetime import UTC, datetime
from enum import Enum
from typing import TypeAlias, TypeVar
from uuid import UUID

import msgspec
import rfc8785

from strandline.model.exact import Exact
from strandline.model.record import Record

T = TypeVar("T")
Plain: TypeAlias = "bool | int | float | str | list[Plain] | dict[str, Plain] | None"


def canonical_bytes(value: object) -> bytes:
    """Encode the value. NaN, integers beyond 2^53, local times and sets have no canonical form and raise ValueError."""
    try:
        return rfc8785.dumps(_plain(value))
    except rfc8785.CanonicalizationError as error:
        raise ValueError(f"{type(value).__name__} has no canonical form: {error}") from error


def from_json(data: bytes | str, kind: type[T]) -> T:
    """Decode a value of this type; anything missing, unknown or out of range raises `msgspec.ValidationError`."""
    return msgspec.json.decode(data, type=kind, dec_hook=_read_exact)


def digest(value: object) -> str:
    """Return the SHA-256 of the type's name and the canonical bytes; with the name, two types never share a hash."""
    return hashlib.sha256(type(value).__name__.encode() + b"\n" + canonical_bytes(value)).hexdigest()


def _plain(value: object) -> Plain:
    if value is None or (isinstance(value, bool | int | float | str) and not isinstance(value, Enum)):
        return value
    if isinstance(value, Record):
        return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, dict):
        return {_key(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return _plain_scalar(value)


def _plain_scalar(value: object) -> Plain:
    if isinstance(value, Exact | UUID):
        return str(value)
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, datetime):
        return _instant(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise ValueError(f"{type(value).__name__} has no canonical form: {value!r}")


def _key(key: object) -> str:
    if isinstance(key, Enum):
        key = key.value
    if not isinstance(key, str):
        raise TypeError(f"a key must be text, got {key!r}")
    return key


def _instant(value: datetime) -> str:
    if value.utcoffset() is None:
        raise ValueError(f"a local time has no canonical form: {value.isoformat()}")
    return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _read_exact(kind: type, value: object) -> object:
    if issubclass(kind, Exact) and isinstance(value, str):
        return kind(value)
    raise TypeError(f"cannot read {kind.__name__} from {value!r}")
