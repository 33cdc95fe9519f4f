"""Phases of the market, and the series that they and the drivers are read from."""

from enum import StrEnum
from typing import Final

from strandline.model.timeframe import Timeframe

MESO: Final = Timeframe.H1
MACRO: Final = Timeframe.D1


class Phase(StrEnum):
    """How the market stands, as its index shows it."""

    DIP = "dip"
    DOUBLE_DIP = "double_dip"
    OH_SHIT = "oh_shit"
    RECOVER = "recover"
    GOOD = "good"
    EUPHORIA = "euphoria"
    NEUTRAL = "neutral"


class RegimeSeries(StrEnum):
    """What the market is judged by. BTC stands for itself, too: the other members follow it."""

    INDEX = "index"
    BTC = "BTC"
