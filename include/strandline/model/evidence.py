"""What a decision rests on, kept from planning until its strand is written."""

from collections.abc import Mapping

from strandline.model.record import Record, require


class Evidence(Record, frozen=True, kw_only=True):
    """Why the planner decided so, complete enough to check it by hand.

    `rules_not_fired` names each rule that was looked at before the one that fired, and why it did not. `terms` are the
    numbers of A and E. `inputs` name what was read: the signal's and the bar's identity, price and its source, attempt,
    trend, visit and level by which later decisions count.
    """

    appetite: float
    exit_urgency: float
    rules_not_fired: Mapping[str, str]
    terms: Mapping[str, float]
    inputs: Mapping[str, str]

    def check(self) -> None:
        require(0 <= self.appetite <= 1 and 0 <= self.exit_urgency <= 1, "A and E lie in [0, 1]")
