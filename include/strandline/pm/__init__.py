"""Signals and portfolio to decisions: pure, deterministic, without any notion of venues."""
