"""Which code decided: the version that was released, and a digest of the files that are really there."""

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Final

_LIBRARY: Final = Path(__file__).parents[1]


@cache
def code_version() -> str:
    """The same for the same code, whether it is under version control or not."""
    content = hashlib.sha256()
    for path in sorted([*_LIBRARY.rglob("*.py"), *_LIBRARY.rglob("*.toml")]):
        content.update(f"{path.relative_to(_LIBRARY).as_posix()}\0".encode())
        content.update(path.read_bytes())
    return f"{version('strandline')}+{content.hexdigest()[:12]}"
