"""The line to Hyperliquid's REST API, through the official SDK."""

from typing import Final, Protocol, TypeVar
from urllib.parse import urlsplit

import msgspec
import requests
from hyperliquid.api import API  # type: ignore[import-untyped]
from hyperliquid.utils.error import Error as SdkError  # type: ignore[import-untyped]

from strandline.venues.hyperliquid.answers import Reply
from strandline.venues.hyperliquid.timeouts import Timeouts

_THIS_MACHINE: Final = frozenset({"127.0.0.1", "::1", "localhost"})
# The SDK trips over refusals that are not of the form it expects, which is how `KeyError` and the like come here.
_NO_ANSWER: Final = (
    requests.RequestException,
    SdkError,
    msgspec.ValidationError,
    AttributeError,
    KeyError,
    TypeError,
    RecursionError,
)


class HyperliquidError(Exception):
    """It could not be asked, or its answer makes no sense."""


class _Timed(Protocol):
    time: int


T = TypeVar("T")
Row = TypeVar("Row", bound=_Timed)


class Rest:
    """Asks, and sends."""

    def __init__(self, url: str, timeouts: Timeouts) -> None:
        self._api = API(url.rstrip("/"), timeouts.answer)
        self._patience = timeouts
        if urlsplit(url).hostname in _THIS_MACHINE:
            self._api.session.trust_env = False  # a proxy does not know the simulated venues

    def ask(self, kind: type[T], **query: object) -> T:
        """A question changes nothing, so that it is asked again when there is no sensible answer."""
        for tries_left in reversed(range(self._patience.tries)):
            try:
                return msgspec.convert(self._api.post("/info", query), kind)
            except _NO_ANSWER as error:
                if not tries_left:
                    raise HyperliquidError(f"no answer to {query['type']}: {type(error).__name__}") from error
                self._patience.sleep(self._patience.pause)
        raise AssertionError("unreachable")

    def since(self, kind: type[list[Row]], start: int, most: int, **query: object) -> list[Row]:
        """All rows from `start` on; the venue gives `most` at a time. Those of one instant may come twice."""
        found: list[Row] = []
        while True:
            page = self.ask(kind, **query, startTime=start)
            found += page
            if len(page) < most:
                return found
            newest = max(row.time for row in page)
            if newest == start:
                raise HyperliquidError(f"more than {most} rows of {query['type']} at {start}")
            start = newest

    def send(self, body: bytes) -> Reply:
        """Exactly these bytes, once. An error means that nobody knows whether they were taken."""
        try:
            answer = self._api.session.post(
                f"{self._api.base_url}/exchange", data=body, timeout=self._patience.order, allow_redirects=False
            )
        except requests.RequestException as error:
            raise HyperliquidError(f"no answer to what was sent: {type(error).__name__}") from error
        if answer.status_code != requests.codes.ok:
            raise HyperliquidError(f"what was sent was answered with {answer.status_code}")
        try:
            reply: Reply = msgspec.json.decode(answer.content, type=Reply)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise HyperliquidError("the answer to what was sent cannot be read") from error
        return reply

    def close(self) -> None:
        """Let go of connections."""
        self._api.session.close()
