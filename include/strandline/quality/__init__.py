"""The quality gate: checks the data of a cycle before decisions are made on it."""

from strandline.quality.blocks import Blocks, blocks
from strandline.quality.gate import QualityResult, check, check_history, check_signals, preload
from strandline.quality.severity import Severity

__all__ = ["Blocks", "QualityResult", "Severity", "blocks", "check", "check_history", "check_signals", "preload"]
