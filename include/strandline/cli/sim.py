"""`strandline sim`: the simulator's own command, which `python -m strandline_sim` starts without the rest."""

from strandline_sim.command import sim

__all__ = ["sim"]
