"""What of a stream of trades has certainly been received."""

from collections import deque
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime


class StreamCoverage:
    """Only the answer to a ping proves anything: the venue sent it after everything that it sent before.

    A frame proves nothing: after a stall the first one is old, and others wait behind it. Pings are answered in order,
    and one that was sent while a subscription was not confirmed proves nothing either.
    """

    def __init__(self) -> None:
        self._through: datetime | None = None
        self._since: dict[str, datetime] = {}
        self._tokens: AbstractSet[str] | None = None
        self._unanswered: deque[tuple[datetime, AbstractSet[str] | None]] = deque()
        self._settled = False

    @property
    def through(self) -> datetime | None:
        """All that the venue sent up to this time has been received, but for what came in no frame or a broken one."""
        return self._through

    @property
    def since(self) -> Mapping[str, datetime]:
        """Since when each token has been received without an interruption."""
        return self._since

    @property
    def settled(self) -> bool:
        """Whether everything that is subscribed to is proved to be received."""
        return self._settled

    @property
    def waits_for_answer(self) -> bool:
        """Whether a ping has not been answered."""
        return bool(self._unanswered)

    def unsettle(self, kept: AbstractSet[str]) -> None:
        """Subscriptions are about to change; these tokens stay subscribed."""
        self._tokens = None
        self._settled = False
        self._since = {token: since for token, since in self._since.items() if token in kept}

    def settle(self, tokens: AbstractSet[str]) -> None:
        """The venue has confirmed that it sends these tokens."""
        self._tokens = frozenset(tokens)

    def pinged(self, at: datetime) -> None:
        """A ping is about to be sent."""
        self._unanswered.append((at, self._tokens))

    def answered(self) -> None:
        """The oldest ping was answered; an answer to nothing proves nothing."""
        if not self._unanswered:
            return
        at, tokens = self._unanswered.popleft()
        if tokens is None or tokens is not self._tokens:
            return
        self._settled = True
        self._through = at if self._through is None else max(self._through, at)
        for token in tokens:
            self._since.setdefault(token, at)

    def interrupt(self) -> None:
        """A frame that may have held trades could not be read: what is proved begins anew with the next ping."""
        self._since.clear()
        self._settled = False
        self._unanswered = deque((at, None) for at, _ in self._unanswered)

    def end(self) -> None:
        """The connection is lost, with all its subscriptions."""
        self.interrupt()
        self._unanswered.clear()
        self._tokens = None
