"""The trading mode."""

from enum import StrEnum


class Mode(StrEnum):
    """Simulated venues, simulated fills at real prices, a venue's test network, or real money."""

    SIM = "sim"
    PAPER = "paper"
    TESTNET = "testnet"
    LIVE = "live"

    @property
    def sends_orders(self) -> bool:
        """Whether orders leave this machine."""
        return self in {Mode.TESTNET, Mode.LIVE}
