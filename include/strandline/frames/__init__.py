"""Data of the database as pandas frames, for notebooks: read-only, indexed by UTC instants.

A range is half-open, [start, end). Its ends are datetimes with a zone, or text, which is UTC unless it names a zone.
"""

from strandline.frames.database import query
from strandline.frames.market import bars, ticks, ticks_in_chunks
from strandline.frames.signals import features, signals
from strandline.frames.trading import fills, positions, strands

__all__ = [
    "bars",
    "features",
    "fills",
    "positions",
    "query",
    "signals",
    "strands",
    "ticks",
    "ticks_in_chunks",
]
