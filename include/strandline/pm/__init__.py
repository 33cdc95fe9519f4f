"""Signals and portfolio to decisions: pure, deterministic, without any notion of venues."""

from strandline.pm.planner import plan

__all__ = ["plan"]
