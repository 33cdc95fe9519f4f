"""Simulated venues over the real protocols, with faults on command. Never imports `venues`: shared mistakes would hide."""
