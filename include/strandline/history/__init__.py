"""Backfill: drives the venues' history and archive files."""
