"""How real trading is."""

from enum import StrEnum


class Mode(StrEnum):
    """From simulated venues to real money; the default is `sim`."""

    SIM = "sim"
    PAPER = "paper"
    TESTNET = "testnet"
    LIVE = "live"

    @property
    def sends_orders(self) -> bool:
        """Whether orders leave this machine."""
        return self in {Mode.TESTNET, Mode.LIVE}
