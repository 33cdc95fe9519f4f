"""Ticks to bars; the only writer of bars."""
