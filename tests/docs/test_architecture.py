"""docs/architecture.md names the packages and files that there are."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
LIBRARY = ROOT / "include" / "strandline"


def rooms() -> set[str]:
    """The packages in the table of who may import whom."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    return {line.partition("<-")[0].strip() for line in contracts[0]["rooms"]}


def test_every_file_that_it_names_is_there() -> None:
    named = set(re.findall(r"`([\w/]+\.(?:py|toml))`", PAGE))
    assert named
    missing = {name for name in named if not (ROOT / name).is_file() and not any(LIBRARY.rglob(name))}
    assert not missing


def test_every_package_has_its_floor_and_its_paragraph() -> None:
    floors = PAGE[PAGE.index("## Floors") : PAGE.index("## Rooms")]
    paragraphs = PAGE[PAGE.index("## Rooms") : PAGE.index("## The way of one tick")]
    for room in rooms():
        assert re.search(rf"\b{room}\b", floors), f"{room} stands on no floor"
        if room != "strandline_sim":
            assert re.search(rf"\*\*`{room}(\.py)?`\*\*", paragraphs), f"{room} has no paragraph"
