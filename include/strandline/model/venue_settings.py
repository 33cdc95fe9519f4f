"""The settings that a venue declares."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from strandline.model.mode import Mode
from strandline.model.setting import Setting
from strandline.model.venue import VenueKey


class VenueSettingKind(Enum):
    """What a setting is for, which decides how it is checked besides its format."""

    ENDPOINT = auto()
    """A URL of the venue: on this machine in sim, never in live, and of the right network."""
    ADDRESS = auto()
    """The account's public address."""
    PRIVATE_KEY = auto()
    """Signs orders; only the worker that trades the venue needs it."""
    OTHER = auto()


@dataclass(frozen=True, kw_only=True)
class VenueSetting(Setting):
    """One setting of a venue."""

    kind: VenueSettingKind
    defaults: Mapping[Mode, str] = field(default_factory=dict)
    """The value in each mode where none is given."""
    required_in: frozenset[Mode] = frozenset()
    """The modes in which every process needs it while the venue is on."""
    has_clock: bool = False
    """Whether the responses of this endpoint carry the venue's time."""


@dataclass(frozen=True, kw_only=True)
class VenueSettings:
    """A venue's part of the settings.

    `name` starts its switch and its share of the money (`<name>_enabled`, `<name>_initial_value`); `title` is what
    people call it.
    """

    key: VenueKey
    name: str
    title: str
    fields: tuple[VenueSetting, ...] = ()
    enabled_seed_name: str | None = None
    without_testnet: str | None = None
    """The name of the party without a test network, for the error in mode testnet; None if the venue has one."""

    @property
    def enabled(self) -> str:
        """The name of the setting that switches it on."""
        return f"{self.name}_enabled"

    @property
    def initial_value(self) -> str:
        """The name of the setting of its share of the money in sim and paper."""
        return f"{self.name}_initial_value"

    def of_kind(self, kind: VenueSettingKind) -> tuple[VenueSetting, ...]:
        """Its settings of one kind."""
        return tuple(setting for setting in self.fields if setting.kind is kind)
