"""The evidence of a decision, stored with the intent until its strand is written."""

from collections.abc import Mapping

from strandline.model.record import Record, require


class Evidence(Record, frozen=True, kw_only=True):
    """Why the planner decided as it did, complete enough to check by hand. No rule reads it: it is for people.

    `rules_not_fired` names each rule that was evaluated before the one that fired, and why it did not. `terms` are the
    terms of A and E. `inputs` names what was read: the signal and its bar, the price and its source, trade, portfolio.
    """

    appetite: float
    exit_urgency: float
    rules_not_fired: Mapping[str, str]
    terms: Mapping[str, float]
    inputs: Mapping[str, str]

    def check(self) -> None:
        require(0 <= self.appetite <= 1 and 0 <= self.exit_urgency <= 1, "A and E lie in [0, 1]")
