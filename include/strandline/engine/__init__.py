"""Turns bars into signals: pure, deterministic, without any notion of holdings."""

from strandline.engine.bars import Bars, as_bars, columns, gap_number, takes_full_range
from strandline.engine.engine import Engine, warm_up
from strandline.engine.index import FIRST_LEVEL, IndexBar, MemberBar, MemberBars, index_bars
from strandline.engine.results import Outputs
from strandline.engine.signals import Series
from strandline.engine.summary import SeriesSummary
from strandline.engine.version import ENGINE_VERSION

__all__ = [
    "ENGINE_VERSION",
    "FIRST_LEVEL",
    "Bars",
    "Engine",
    "IndexBar",
    "MemberBar",
    "MemberBars",
    "Outputs",
    "Series",
    "SeriesSummary",
    "as_bars",
    "columns",
    "gap_number",
    "index_bars",
    "takes_full_range",
    "warm_up",
]
