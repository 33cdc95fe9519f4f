"""Which code decided: the released version, and a digest of the installed files."""

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Final

_LIBRARY: Final = Path(__file__).parents[1]


@cache
def code_version() -> str:
    """The version and the first digits of a hash over the library's files, so that local changes show."""
    content = hashlib.sha256()
    for path in sorted([*_LIBRARY.rglob("*.py"), *_LIBRARY.rglob("*.toml")]):
        content.update(f"{path.relative_to(_LIBRARY).as_posix()}\0".encode())
        content.update(path.read_bytes())
    return f"{version('strandline')}+{content.hexdigest()[:12]}"
