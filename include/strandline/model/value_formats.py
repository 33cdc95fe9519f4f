"""Value formats that settings in several packages share."""

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from strandline.model.setting import ValueFormat


def pattern(expression: str) -> Callable[[str], str]:
    """Make a parser that accepts text matching the whole regular expression."""

    def parse(text: str) -> str:
        if not re.fullmatch(expression, text):
            raise ValueError
        return text

    return parse


def public_url(example: str) -> ValueFormat:
    """A URL without credentials. It is not echoed all the same, because one may have been pasted into it."""
    return ValueFormat("an http:// or https:// URL without user name and query", example, _base_url, echoed=False)


def secret_url(example: str) -> ValueFormat:
    """A URL that may contain a provider's API key, so that all of it is a secret."""
    return ValueFormat("an http:// or https:// URL", example, _http_url, echoed=False, secret=True)


def api_key() -> ValueFormat:
    """A provider's API key."""
    return ValueFormat("one word of plain characters", "…", pattern("[!-~]+"), echoed=False, secret=True)


def _http_url(text: str) -> str:
    parts = urlsplit(text)
    # Reading the port is what checks it.
    usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    # urlsplit drops line breaks and tabs inside a URL; the venue's client would not.
    if not usable or not text.isprintable() or " " in text:
        raise ValueError
    return text if parts.query else text.rstrip("/")


def _base_url(text: str) -> str:
    url = _http_url(text)
    parts = urlsplit(url)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError
    return url
