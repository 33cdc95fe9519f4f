"""Client of Hyperliquid's REST API, on top of the official SDK."""

from typing import Final, Protocol, TypeVar
from urllib.parse import urlsplit

import msgspec
import requests
from hyperliquid.api import API  # type: ignore[import-untyped]
from hyperliquid.utils.error import ClientError  # type: ignore[import-untyped]
from hyperliquid.utils.error import Error as SdkError

from strandline.venues.hyperliquid.responses import Reply
from strandline.venues.hyperliquid.timeouts import Timeouts

_THIS_MACHINE: Final = frozenset({"127.0.0.1", "::1", "localhost"})
# The SDK raises KeyError and the like on error responses that have another form than it expects.
_NO_RESPONSE: Final = (
    requests.RequestException,
    SdkError,
    msgspec.ValidationError,
    AttributeError,
    KeyError,
    TypeError,
    RecursionError,
)


class HyperliquidError(Exception):
    """The venue could not be reached, or its response is invalid."""


class RateLimitedError(HyperliquidError):
    """The venue's limit of this minute is used up."""


class _Timed(Protocol):
    time: int


T = TypeVar("T")
Row = TypeVar("Row", bound=_Timed)


class Rest:
    """Sends requests to `/info` and signed actions to `/exchange`."""

    def __init__(self, url: str, timeouts: Timeouts) -> None:
        self._api = API(url.rstrip("/"), timeouts.request)
        self._timeouts = timeouts
        if urlsplit(url).hostname in _THIS_MACHINE:
            self._api.session.trust_env = False  # a proxy does not know the simulated venues

    def request(self, kind: type[T], **query: object) -> T:
        """Read from `/info`, again if there is no valid response: reading changes nothing."""
        for attempts_left in reversed(range(self._timeouts.attempts)):
            try:
                return msgspec.convert(self._api.post("/info", query), kind)
            except _NO_RESPONSE as error:
                if not attempts_left:
                    kind_of_error = RateLimitedError if _is_rate_limited(error) else HyperliquidError
                    raise kind_of_error(f"no response to {query['type']}: {type(error).__name__}") from error
                self._timeouts.sleep(self._timeouts.pause)
        raise AssertionError("unreachable")

    def request_since(self, kind: type[list[Row]], start: int, page_size: int, **query: object) -> list[Row]:
        """Read all rows from `start` on, page by page. Rows of one instant may be repeated."""
        found: list[Row] = []
        while True:
            page = self.request(kind, **query, startTime=start)
            found += page
            if len(page) < page_size:
                return found
            newest = max(row.time for row in page)
            if newest == start:
                raise HyperliquidError(f"more than {page_size} rows of {query['type']} at {start}")
            start = newest

    def send(self, body: bytes) -> Reply:
        """Send exactly these bytes once. After an error it is unknown whether the venue accepted them."""
        try:
            response = self._api.session.post(
                f"{self._api.base_url}/exchange", data=body, timeout=self._timeouts.order, allow_redirects=False
            )
        except requests.RequestException as error:
            raise HyperliquidError(f"no response to the action: {type(error).__name__}") from error
        if response.status_code == requests.codes.too_many_requests:
            raise RateLimitedError("the action was answered with 429")
        if response.status_code != requests.codes.ok:
            raise HyperliquidError(f"the action was answered with {response.status_code}")
        try:
            reply: Reply = msgspec.json.decode(response.content, type=Reply)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise HyperliquidError("the response to the action cannot be read") from error
        return reply

    def close(self) -> None:
        """Close connections."""
        self._api.session.close()


def _is_rate_limited(error: Exception) -> bool:
    return isinstance(error, ClientError) and error.status_code == requests.codes.too_many_requests
