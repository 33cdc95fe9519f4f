"""Recomputes decisions from stored inputs, and checks the strands' chain."""
