"""Builds bars from ticks; the only writer of bars, their revisions and their gaps."""

from strandline.bars.rollup import RollUp, roll_up
from strandline.bars.watermark import WatermarkWait, wait_for_watermark

__all__ = ["RollUp", "WatermarkWait", "roll_up", "wait_for_watermark"]
