"""Simulated venues over the real protocols, with faults on command.

Never imports `venues`: a mistake that both shared would stay hidden.
"""
