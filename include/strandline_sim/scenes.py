"""Markets that were made for a purpose: symbols with scripts, around a moment at which what they show begins."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from strandline.model.record import require
from strandline_sim.market.market import Scenario
from strandline_sim.market.regime import MINUTE_MS
from strandline_sim.market.spec import SymbolSpec
from strandline_sim.scene_demo import DEMO, START_MS, Part, storm
from strandline_sim.symbols import PERPS

SCENES: Final[Mapping[str, Mapping[str, Part]]] = {"demo": DEMO}


class Staged(NamedTuple):
    """A scene whose moment lies at a certain time."""

    perps: Sequence[SymbolSpec]
    scenario: Scenario
    shifts: Mapping[str, int]


def staged(name: str, moment_ms: int) -> Staged:
    """The scene, so that its moment is then."""
    require(name in SCENES, f"there is no scene {name!r}, only {', '.join(SCENES)}")
    require(moment_ms % MINUTE_MS == 0, "a scene's moment is a whole minute")
    parts = SCENES[name]
    begins = (moment_ms - START_MS) // MINUTE_MS
    return Staged(
        perps=PERPS,
        scenario={symbol: storm(symbol, part) for symbol, part in parts.items()},
        shifts={symbol: begins + part.enters - part.minute for symbol, part in parts.items()},
    )
