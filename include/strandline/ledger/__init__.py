"""Fills and cash events to positions, cash, equity; and the strands."""
