"""Backfill: loads the venues' candles and recorded prices."""
