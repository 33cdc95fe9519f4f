"""Values that are made once and kept in a file that only its owner may read."""

import json
import os
from collections.abc import Callable
from pathlib import Path


def read_or_make(file: Path, make: Callable[[], dict[str, str]]) -> dict[str, str]:
    """Return what the file holds; the first time, make it and keep it there."""
    try:
        return dict(json.loads(file.read_text()))
    except FileNotFoundError:
        values = make()
        write_state(file, values)
        return values


def write_state(file: Path, values: object) -> None:
    """Write the file whole or not at all."""
    unfinished = file.with_name(f"{file.name}.new")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        json.dump(values, stream)
    unfinished.replace(file)
