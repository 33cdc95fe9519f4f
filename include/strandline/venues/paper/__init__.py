"""Trades on paper: the venue's real prices, simulated fills, no keys."""

from strandline.venues.paper.executor import PaperExecutor
from strandline.venues.paper.observer import PaperObserver

__all__ = ["PaperExecutor", "PaperObserver"]
