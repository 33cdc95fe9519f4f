"""Value formats of the settings that belong to no venue."""

import difflib
from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from strandline.model.setting import InvalidValueError, ValueFormat
from strandline.settings.constants import CONTAINER_SECRETS

# More than any account holds: it keeps sums inside what Decimal and the database can carry.
LARGEST_AMOUNT = Decimal(10) ** 12

_Choice = TypeVar("_Choice", bound=StrEnum)


def one_of(choices: type[_Choice], example: _Choice, *, fold: Callable[[str], str] = str) -> ValueFormat:
    """One of the names of an enumeration; a fault suggests the closest."""
    names = [choice.value for choice in choices]
    allowed = f"one of {', '.join(names)}"

    def parse(text: str) -> _Choice:
        if fold(text) in names:
            return choices(fold(text))
        near = {name.casefold(): name for name in names}
        close = difflib.get_close_matches(text.casefold(), near, n=1)
        remedy = f"did you mean '{near[close[0]]}'?" if close else "choose one of them"
        raise InvalidValueError(f"not {allowed}; {remedy}")

    return ValueFormat(allowed, example, parse)


def directory_to_be(text: str) -> Path:
    """Accept a directory that exists or can be created."""
    path = _absolute(text)
    nearest = next(one for one in (path, *path.parents) if one.exists())
    if not nearest.is_dir():
        raise ValueError
    return path


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


_SWITCH_VALUES = {
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
    if text.lower() not in _SWITCH_VALUES:
        raise ValueError
    return _SWITCH_VALUES[text.lower()]


def _absolute(text: str) -> Path:
    return Path(text).expanduser().resolve()


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


_DATABASE_SCHEMES = {"postgresql", "postgres", "postgresql+psycopg2"}


def _database_url(text: str) -> str:
    # SQLAlchemy reads the URL in the end, so it is SQLAlchemy that decides whether it can be read.
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


SWITCH = ValueFormat("one of true, false, yes, no, on, off, 1, 0", "true", _switch)
AMOUNT = ValueFormat(
    f"a number above 0, at most {LARGEST_AMOUNT}", "10000", _number(lambda amount: 0 < amount <= LARGEST_AMOUNT)
)
AMOUNT_OR_ZERO = ValueFormat(
    f"a number from 0 to {LARGEST_AMOUNT}", "5000", _number(lambda amount: 0 <= amount <= LARGEST_AMOUNT)
)
PERCENTAGE = ValueFormat("a number above 0, at most 100", "5", _number(lambda percentage: 0 < percentage <= 100))
COUNT = ValueFormat("a whole number, at least 1", "5", _whole_number(1))
DAYS = ValueFormat("a whole number of days, at least 7", "90", _whole_number(7))
PORT = ValueFormat("a whole number from 1 to 65535", "8080", _whole_number(1, 65535))
DIRECTORY_TO_BE = ValueFormat(
    "a directory, there already or to be made", "~/.strandline", directory_to_be, names_a_path=True
)
EXISTING_DIRECTORY = ValueFormat(
    "an existing directory", str(CONTAINER_SECRETS), _existing_directory, names_a_path=True
)
ENV_FILE = ValueFormat("an existing file", "testnet.env", _existing_file, names_a_path=True)
STRATEGY_FILE = ValueFormat("an existing file", "my-strategy.toml", _existing_file, names_a_path=True)
DATABASE_URL = ValueFormat(
    "a postgresql:// URL with a database name",
    "postgresql://user:password@localhost:5432/strandline",
    _database_url,
    echoed=False,
    secret=True,
)
