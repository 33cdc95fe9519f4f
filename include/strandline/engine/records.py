"""NumPy record types for the compiled step, made from the annotations of a class."""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias, get_type_hints

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Bits: TypeAlias = NDArray[np.uint8]
Records: TypeAlias = NDArray[np.void]

_KINDS: Final[Mapping[Any, str]] = {int: "i8", float: "f8", Floats: "f8", Ints: "i8", Bits: "u1"}


def record_type(kind: type, shapes: Mapping[str, tuple[int, ...]] | None = None) -> np.dtype[np.void]:
    """A record type with a field for each annotation; `shapes` gives the shapes of array fields."""
    sizes = shapes or {}
    return np.dtype(
        [(name, _KINDS[hint], sizes.get(name, ())) for name, hint in get_type_hints(kind).items()], align=True
    )


def with_views(record: np.dtype[np.void], views: Mapping[str, tuple[str, str]]) -> np.dtype[np.void]:
    """The same record with more names for the same bytes: each view is all numbers from one field to another."""
    fields: Mapping[str, Any] = record.fields or {}
    names, formats, offsets = (
        list(fields),
        [field[0] for field in fields.values()],
        [field[1] for field in fields.values()],
    )
    for name, (first, last) in views.items():
        number = fields[first][0].base
        start, end = fields[first][1], fields[last][1] + fields[last][0].itemsize
        names.append(name)
        formats.append(np.dtype((number, ((end - start) // number.itemsize,))))
        offsets.append(start)
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": record.itemsize})
