"""Declares settings: name, value format, and text for the documentation."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

PREFIX: Final = "STRANDLINE_"
"""Every variable's name starts with it."""


class InvalidValueError(ValueError):
    """Why a value is not accepted, in words that follow `VARIABLE is …`."""


@dataclass(frozen=True)
class ValueFormat:
    """The format of a value: checks and converts the text, and describes it in errors and in the documentation.

    `parse` raises ValueError, ArithmeticError, OSError or RuntimeError for a text that is not allowed, or
    `InvalidValueError` with a message of its own.
    """

    allowed: str
    example: str
    parse: Callable[[str], object]
    # Whether a fault repeats the value; never if it is, or may by mistake be, a credential.
    echoed: bool = True
    secret: bool = False
    names_a_path: bool = False

    def read(self, text: str) -> object:
        """Convert the text, or raise `InvalidValueError`."""
        try:
            return self.parse(text.strip())
        except InvalidValueError:
            raise
        except (ValueError, ArithmeticError, OSError, RuntimeError):
            raise InvalidValueError(f"not {self.allowed}; write one such as {self.example}") from None


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting. `default` is in words, for the documentation; `seed_name` is a second name of its variable."""

    name: str
    group: str
    meaning: str
    format: ValueFormat
    default: str = "not set"
    seed_name: str | None = None

    @property
    def variable(self) -> str:
        """The environment variable."""
        return variable_name(self.name)

    @property
    def secret_file(self) -> str:
        """The name of its file in the secrets directory."""
        return self.variable.lower()


def variable_name(name: str) -> str:
    """The environment variable of a setting."""
    return f"{PREFIX}{name.upper()}"
