"""The fields of the form with which a person starts a cycle, and what was filled in."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from strandline.model.errors import StrandlineError
from strandline.model.venue import VenueKey
from strandline.venues.registry import venues

FIELDS: Final[Mapping[str, Mapping[str, Any]]] = {
    "as_of": {
        "default": None,
        "type": ["null", "string"],
        "format": "date-time",
        "title": "As of",
        "description": "The cycle that ended last before this instant; empty: the last complete five minutes.",
    },
    "venues": {
        "default": None,
        "type": ["null", "array"],
        "items": {"type": "string"},
        "title": "Venues",
        "description": f"Execute only these, such as {venues()[0].key}; empty: all.",
    },
    "symbols": {
        "default": None,
        "type": ["null", "array"],
        "items": {"type": "string"},
        "title": "Symbols",
        "description": "Let only these enter, such as ETH; exits are planned for all rows. Empty: all.",
    },
    "plan_only": {
        "default": False,
        "type": "boolean",
        "title": "Plan only",
        "description": "Show what would be decided; nothing is stored or executed.",
    },
}
"""By name, the JSON schema of each field and its default."""


class Form(NamedTuple):
    """The form as it was filled in; nothing in it for a scheduled run."""

    as_of: datetime | None
    venues: tuple[VenueKey, ...]
    symbols: tuple[str, ...]
    plan_only: bool


def read_form(params: Mapping[str, Any]) -> Form:
    """Convert the fields, and refuse what cannot be meant."""
    return Form(
        as_of=_instant(params["as_of"]) if params["as_of"] else None,
        venues=tuple(VenueKey.parse(name) for name in params["venues"] or ()),
        symbols=tuple(params["symbols"] or ()),
        plan_only=params["plan_only"],
    )


def _instant(as_of: str) -> datetime:
    instant = datetime.fromisoformat(as_of)
    if instant.tzinfo is None:
        raise StrandlineError(f"as_of {as_of} has no time zone", f"write {as_of}Z if UTC is meant, else its offset")
    return instant.astimezone(UTC)
