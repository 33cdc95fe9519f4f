"""All settings that exist, by name and by variable."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import get_type_hints

from strandline.model.setting import Setting
from strandline.model.venue_settings import VenueSettings
from strandline.settings.fields import DATABASE, GENERAL, PORTFOLIO, RETENTION, TRADING, Settings
from strandline.settings.formats import AMOUNT_OR_ZERO, SWITCH


def _core_settings() -> Iterator[Setting]:
    hints = get_type_hints(Settings, include_extras=True)
    for name, hint in hints.items():
        for declared in getattr(hint, "__metadata__", ()):
            yield Setting(name=name, **vars(declared))


_CORE = tuple(_core_settings())


@dataclass(frozen=True)
class Schema:
    """The settings that belong to no venue, and those of these venues."""

    venues: tuple[VenueSettings, ...] = ()

    @cached_property
    def settings(self) -> tuple[Setting, ...]:
        """All settings, in the order of the documentation."""
        shares = [_share(venue) for venue in self.venues]
        own = [setting for venue in self.venues for setting in (_switch(venue), *venue.fields)]
        groups = [GENERAL, DATABASE, RETENTION, PORTFOLIO, *(venue.title for venue in self.venues), TRADING]
        return tuple(sorted((*_CORE, *shares, *own), key=lambda setting: groups.index(setting.group)))

    @cached_property
    def by_name(self) -> dict[str, Setting]:
        """Every setting by its name."""
        return {setting.name: setting for setting in self.settings}

    @cached_property
    def by_variable(self) -> dict[str, Setting]:
        """Every name that a variable may have; the seeds' names come after ours."""
        own = {setting.variable: setting for setting in self.settings}
        return own | {setting.seed_name: setting for setting in self.settings if setting.seed_name}

    @cached_property
    def venue_names(self) -> frozenset[str]:
        """The names of the settings that venues declare."""
        return frozenset(self.by_name) - {setting.name for setting in _CORE}


def _share(venue: VenueSettings) -> Setting:
    return Setting(
        name=venue.initial_value,
        group=PORTFOLIO,
        meaning=f"{venue.title}'s own share of it, in US dollars.",
        format=AMOUNT_OR_ZERO,
        default="its even share",
    )


def _switch(venue: VenueSettings) -> Setting:
    return Setting(
        name=venue.enabled,
        group=venue.title,
        meaning=f"Whether orders go to {venue.title}.",
        format=SWITCH,
        default="on in sim and paper, off in testnet and live",
        seed_name=venue.enabled_seed_name,
    )
