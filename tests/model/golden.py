"""The golden files and their hashes: `python -m tests.model.golden` prints the hashes as this Python computes them."""

import json
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from strandline import model
from strandline.model.canonical import digest, from_json
from strandline.model.record import Record

FILES = Path(__file__).parent / "golden"


def golden_types() -> list[type[Record]]:
    """Every record type of the model that has a golden file."""
    for module in iter_modules(model.__path__, f"{model.__name__}."):
        import_module(module.name)
    found: list[type[Record]] = []
    waiting = [Record]
    while waiting:
        kind = waiting.pop()
        waiting.extend(kind.__subclasses__())
        if (FILES / f"{kind.__name__}.json").exists():
            found.append(kind)
    return sorted(found, key=lambda kind: kind.__name__)


def golden_bytes(kind: type[Record]) -> bytes:
    """The canonical bytes in the type's golden file."""
    return (FILES / f"{kind.__name__}.json").read_bytes().removesuffix(b"\n")


def golden_hashes() -> dict[str, str]:
    """The stored hashes by the name of the type."""
    return dict(json.loads((FILES / "hashes.json").read_text()))


if __name__ == "__main__":
    print(json.dumps({kind.__name__: digest(from_json(golden_bytes(kind), kind)) for kind in golden_types()}))
