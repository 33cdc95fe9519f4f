"""Simulated venues over the real protocols, with faults on command.

It never imports `strandline.venues`: a mistake that both shared would stay hidden.
"""
