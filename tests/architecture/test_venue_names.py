"""Only a venue's own folder names it; everything else iterates over the registry."""

from pathlib import Path
from typing import Final

import pytest

from strandline.venues.registry import venues

ROOT: Final = Path(__file__).parents[2]
LIBRARY: Final = Path("include/strandline")
VENUES: Final = LIBRARY / "venues"
SEARCHED: Final = (LIBRARY, Path("dags"), Path("plugins"))
DEMO: Final = LIBRARY / "cli/demo"
"""It shows one prepared market, and compares the books with what those simulated venues recorded."""

EXCEPTIONS: Final = {
    VENUES / "registry.py": "the one line that adds a venue",
    LIBRARY / "store/migrations/versions/0004_planning.sql": "the views of the majors, whose names and venue are given",
    LIBRARY / "store/migrations/versions/0004_planning.py": "drops those views",
}
TEXT: Final = {".py", ".sql", ".toml", ".html", ".js", ".css", ".md", ".mako", ".ini"}


def folders() -> dict[str, Path]:
    """Each venue's folder by its name."""
    names = [venue.executor.__module__.rpartition(".")[2] for venue in venues()]
    return {name: VENUES / name for name in names}


def named_in(root: Path) -> list[tuple[Path, str]]:
    """Files outside of a venue's folder that name it."""
    files = [path.relative_to(root) for folder in SEARCHED for path in sorted((root / folder).rglob("*"))]
    return [
        (file, name)
        for file in files
        if file.suffix in TEXT and not file.is_relative_to(DEMO)
        for name, folder in folders().items()
        if not file.is_relative_to(folder) and name in (root / file).read_text(encoding="utf-8").lower()
    ]


def test_every_folder_of_a_venue_is_registered() -> None:
    assert {path.parent.name for path in (ROOT / VENUES).glob("*/key.py")} == set(folders())


def test_no_other_file_names_a_venue() -> None:
    found = named_in(ROOT)
    assert [(str(file), name) for file, name in found if file not in EXCEPTIONS] == []
    assert {file for file, _ in found} == set(EXCEPTIONS), "an exception is needed no longer"


@pytest.mark.parametrize("file", ["include/strandline/ledger/planted.py", "dags/planted.py", "plugins/planted.html"])
def test_a_planted_name_is_found(tmp_path: Path, file: str) -> None:
    for name, folder in folders().items():
        inside = tmp_path / folder / "feed.py"
        inside.parent.mkdir(parents=True)
        inside.write_text(f"NAME = '{name}'")
        planted = tmp_path / file
        planted.parent.mkdir(parents=True, exist_ok=True)
        planted.write_text(f"if venue == '{name.capitalize()}'")
        assert named_in(tmp_path) == [(Path(file), name)]
