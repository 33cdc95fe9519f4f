"""The planner's rules by name, with the number that each has in the trading rules."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Rule(StrEnum):
    """What decides for a row, in the order of priority. A person's order comes before every rule of the planner."""

    MANUAL = "manual"
    STOP = "stop"
    TRAILING_STOP = "trailing_stop"
    TIME_STOP = "time_stop"
    TREND_END = "trend_end"
    EMERGENCY_EXIT = "emergency_exit"
    TRIM = "trim"
    BLOCKED = "blocked"
    FIRST_BUY = "first_buy"
    S2_BUY = "s2_buy"
    FIRST_DIP = "first_dip"
    LADDER = "ladder"
    RECLAIM = "reclaim"
    HOLD = "hold"

    @property
    def number(self) -> int:
        """The rule's number in the trading rules; a person's order has 0."""
        return _NUMBERS[self]

    @property
    def label(self) -> str:
        """Name and number for people, as in `first_buy (rule 8)`."""
        return f"{self.value} (rule {self.number})"


_NUMBERS: Final[Mapping[Rule, int]] = {
    Rule.MANUAL: 0,
    Rule.STOP: 1,
    Rule.TRAILING_STOP: 2,
    Rule.TIME_STOP: 3,
    Rule.TREND_END: 4,
    Rule.EMERGENCY_EXIT: 5,
    Rule.TRIM: 6,
    Rule.BLOCKED: 7,
    Rule.FIRST_BUY: 8,
    Rule.S2_BUY: 9,
    Rule.FIRST_DIP: 9,
    Rule.LADDER: 10,
    Rule.RECLAIM: 11,
    Rule.HOLD: 12,
}
