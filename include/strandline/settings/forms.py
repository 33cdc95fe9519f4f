"""What a value may look like: it checks the text, words the fault, and fills the docs."""

import difflib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

from pydantic import GetCoreSchemaHandler, SecretStr
from pydantic_core import CoreSchema, core_schema

from strandline.settings.words import CONTAINER_SECRETS, HYPERLIQUID_MAINNET_URL, JUPITER_MAINNET_URL

# More than any account holds: it keeps sums inside what Decimal and the database can carry.
LARGEST_AMOUNT = Decimal(10) ** 12


class RefusalError(ValueError):
    """Why a value is refused, worded to follow `VARIABLE is …`."""


@dataclass(frozen=True)
class Form:
    """What a value must look like: it checks the text, words the fault, and fills the docs."""

    allowed: str
    example: str
    parse: Callable[[str], object]
    # A value that is, or may by mistake be, a credential is never repeated in a fault.
    echoed: bool = True
    secret: bool = False
    names_a_path: bool = False

    def read(self, value: object) -> object:
        """Give the typed value, or refuse it."""
        text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        try:
            return self.parse(text.strip())
        except RefusalError:
            raise
        except (ValueError, ArithmeticError, OSError, RuntimeError):
            raise RefusalError(f"not {self.allowed}; write one such as {self.example}") from None

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.read, handler(source))


_Choice = TypeVar("_Choice", bound=StrEnum)


def one_of(choices: type[_Choice], example: _Choice, *, fold: Callable[[str], str] = str) -> Form:
    names = [choice.value for choice in choices]
    allowed = f"one of {', '.join(names)}"

    def parse(text: str) -> _Choice:
        if fold(text) in names:
            return choices(fold(text))
        near = {name.casefold(): name for name in names}
        close = difflib.get_close_matches(text.casefold(), near, n=1)
        remedy = f"did you mean '{near[close[0]]}'?" if close else "choose one of them"
        raise RefusalError(f"not {allowed}; {remedy}")

    return Form(allowed, example, parse)


def _number(accepts: Callable[[Decimal], bool]) -> Callable[[str], Decimal]:
    def parse(text: str) -> Decimal:
        number = Decimal(text)
        if not (number.is_finite() and accepts(number)):
            raise ValueError
        return number

    return parse


def _whole_number(lowest: int, highest: int | None = None) -> Callable[[str], int]:
    def parse(text: str) -> int:
        number = int(text)
        if number < lowest or (highest is not None and number > highest):
            raise ValueError
        return number

    return parse


def _pattern(pattern: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError
        return text

    return parse


def _kept_secret(parse: Callable[[str], str]) -> Callable[[str], SecretStr]:
    return lambda text: SecretStr(parse(text))


_SWITCH_WORDS = {
    "true": True,
    "1": True,
    "yes": True,
    "on": True,
    "false": False,
    "0": False,
    "no": False,
    "off": False,
}


def _switch(text: str) -> bool:
    if text.lower() not in _SWITCH_WORDS:
        raise ValueError
    return _SWITCH_WORDS[text.lower()]


def _absolute(text: str) -> Path:
    return Path(text).expanduser().resolve()


def directory_to_be(text: str) -> Path:
    path = _absolute(text)
    nearest = next(place for place in (path, *path.parents) if place.exists())
    if not nearest.is_dir():
        raise ValueError
    return path


def _existing_directory(text: str) -> Path:
    path = _absolute(text)
    if not path.is_dir():
        raise ValueError
    return path


def _existing_file(text: str) -> Path:
    path = _absolute(text)
    # Not `is_file`: the null device stands for "no .env at all".
    if not path.exists() or path.is_dir():
        raise ValueError
    return path


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


_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_SOLANA_KEY_BYTES = 64


def _solana_key(text: str) -> str:
    return _solana_key_numbers(text) if text.startswith("[") else _solana_key_base58(text)


def _solana_key_numbers(text: str) -> str:
    numbers = json.loads(text)
    bytes_only = all(type(number) is int and 0 <= number <= 255 for number in numbers)
    if len(numbers) != _SOLANA_KEY_BYTES or not bytes_only:
        raise ValueError
    return text


def _solana_key_base58(text: str) -> str:
    if len(text) not in {87, 88}:
        raise ValueError
    number = 0
    for character in text:
        number = number * 58 + _BASE58.index(character)
    # 88 characters can say more than 64 bytes hold.
    if number >= 256**_SOLANA_KEY_BYTES:
        raise ValueError
    return text


_DATABASE_SCHEMES = {"postgresql", "postgres", "postgresql+psycopg2"}


def _database_url(text: str) -> str:
    # SQLAlchemy reads the URL in the end, so it is SQLAlchemy that says whether it can be read.
    # Imported here because most runs use the embedded database.
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    scheme, _, rest = text.partition("://")
    if scheme.lower() not in _DATABASE_SCHEMES:
        raise ValueError
    url = f"postgresql+psycopg2://{rest}"
    try:
        database = make_url(url).database
    except ArgumentError:
        raise ValueError from None
    if not database:
        raise ValueError
    return url


Switch = Annotated[bool, Form("one of true, false, yes, no, on, off, 1, 0", "true", _switch)]
Amount = Annotated[
    Decimal,
    Form(f"a number above 0, at most {LARGEST_AMOUNT}", "10000", _number(lambda amount: 0 < amount <= LARGEST_AMOUNT)),
]
AmountOrZero = Annotated[
    Decimal,
    Form(f"a number from 0 to {LARGEST_AMOUNT}", "5000", _number(lambda amount: 0 <= amount <= LARGEST_AMOUNT)),
]
Percentage = Annotated[
    Decimal, Form("a number above 0, at most 100", "5", _number(lambda percentage: 0 < percentage <= 100))
]
Count = Annotated[int, Form("a whole number, at least 1", "5", _whole_number(1))]
Port = Annotated[int, Form("a whole number from 1 to 65535", "8080", _whole_number(1, 65535))]
DirectoryToBe = Annotated[
    Path, Form("a directory, there already or to be made", "~/.strandline", directory_to_be, names_a_path=True)
]
ExistingDirectory = Annotated[
    Path, Form("an existing directory", str(CONTAINER_SECRETS), _existing_directory, names_a_path=True)
]
EnvFile = Annotated[Path, Form("an existing file", "testnet.env", _existing_file, names_a_path=True)]
StrategyFile = Annotated[Path, Form("an existing file", "my-strategy.toml", _existing_file, names_a_path=True)]
VenueUrl = Annotated[
    str,
    Form("an http:// or https:// URL without user name and query", HYPERLIQUID_MAINNET_URL, _base_url, echoed=False),
]
# Providers put their API key into such a URL, so all of it is a secret.
_secret_url = partial(Form, "an http:// or https:// URL", parse=_kept_secret(_http_url), echoed=False, secret=True)
RpcUrl = Annotated[SecretStr, _secret_url("https://rpc.example.org/?api-key=…")]
JupiterUrl = Annotated[SecretStr, _secret_url(JUPITER_MAINNET_URL)]
# Not echoed: pasting the private key where the address belongs is an easy slip.
Address = Annotated[
    str, Form("0x followed by 40 hexadecimal digits", f"0x{'0' * 40}", _pattern("0x[0-9a-fA-F]{40}"), echoed=False)
]
EthereumKey = Annotated[
    SecretStr,
    Form(
        "0x followed by 64 hexadecimal digits",
        "0x…",
        _kept_secret(_pattern("0x[0-9a-fA-F]{64}")),
        echoed=False,
        secret=True,
    ),
]
SolanaKey = Annotated[
    SecretStr,
    Form(
        "a base58 text of 87 or 88 characters, or a JSON array of 64 numbers from 0 to 255",
        "[174,47,…]",
        _kept_secret(_solana_key),
        echoed=False,
        secret=True,
    ),
]
ApiKey = Annotated[
    SecretStr, Form("one word of plain characters", "…", _kept_secret(_pattern("[!-~]+")), echoed=False, secret=True)
]
DatabaseUrl = Annotated[
    SecretStr,
    Form(
        "a postgresql:// URL with a database name",
        "postgresql://user:password@localhost:5432/strandline",
        _kept_secret(_database_url),
        echoed=False,
        secret=True,
    ),
]
