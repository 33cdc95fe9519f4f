"""Bars to signals: pure, deterministic, without any notion of holdings."""
