"""Strandline: ticks in, audited trades out."""
