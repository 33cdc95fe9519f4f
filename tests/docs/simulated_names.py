"""Reads the names that docs/simulated-venues.md lists."""

import re
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "simulated-venues.md").read_text()


def listed(heading: str) -> tuple[list[str], list[str]]:
    """Return the names that the page lists under a heading: simulated, and not simulated."""
    section = PAGE.partition(f"\n### {heading}\n")[2].partition("\n#")[0]
    paragraphs = [part.strip() for part in section.split("\n\n") if part.strip()]
    simulated, other = (re.findall(r"`([^`]+)`", part.partition(":")[2]) for part in paragraphs)
    assert paragraphs[0].startswith("Simulated:")
    assert paragraphs[1].startswith("Not simulated")
    assert simulated
    assert other
    for names in (simulated, other):
        assert names == sorted(names, key=str.lower)
        assert len(names) == len(set(names))
    return simulated, other
