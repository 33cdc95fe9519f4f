"""Finds settings that contradict each other.

Each fault is a line with the settings that it depends on in braces, so that it can name them as the user wrote them,
and is left out while one of them is invalid itself.
"""

import ipaddress
from collections.abc import Iterator
from string import Formatter
from urllib.parse import urlsplit

from strandline.model.mode import Mode
from strandline.model.setting import variable_name
from strandline.model.venue_settings import VenueSetting, VenueSettingKind
from strandline.settings.fields import Settings


class VariableNames(dict[str, str]):
    """The variable of each setting as the user wrote it, else its standard name."""

    def __missing__(self, name: str) -> str:
        return variable_name(name)


def settings_named(line: str) -> set[str]:
    """The settings that a fault depends on."""
    return {name for _, name, _, _ in Formatter().parse(line) if name}


def find_conflicts(settings: Settings) -> Iterator[str]:
    """Yield every contradiction, a line each."""
    yield from _wrong_network(settings)
    yield from _wrong_venues(settings)
    yield from _missing_settings(settings)
    yield from _database_logins_without_database(settings)
    yield from _shares_that_do_not_fit(settings)


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "").rstrip(".")


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _wrong_network(settings: Settings) -> Iterator[str]:
    for venue in settings.venues:
        for endpoint in venue.of_kind(VenueSettingKind.ENDPOINT):
            url = settings.venue_text(endpoint.name) if endpoint.name in settings.venue_values else None
            if url:
                yield from _wrong_machine(settings.mode, endpoint.name, _host(url))
                yield from _other_network(settings.mode, endpoint, venue.title, _host(url))


def _wrong_machine(mode: Mode, name: str, host: str) -> Iterator[str]:
    if mode is Mode.SIM and not _is_this_machine(host):
        yield f"{{{name}}} leaves this machine, which {{mode}} sim never does; remove it, or choose another mode"
    if mode is Mode.LIVE and _is_this_machine(host):
        yield f"{{{name}}} is on this machine, but {{mode}} is live; remove it, or give the venue's own URL"


def _other_network(mode: Mode, endpoint: VenueSetting, title: str, host: str) -> Iterator[str]:
    test, main = endpoint.defaults.get(Mode.TESTNET), endpoint.defaults.get(Mode.LIVE)
    if test is None or main is None:
        return
    if host == _host(test) and mode in {Mode.PAPER, Mode.LIVE}:
        yield (
            f"{{{endpoint.name}}} is {title}'s test network, but {{mode}} is {mode}; "
            "remove it, or set {mode} to testnet"
        )
    if host == _host(main) and mode is Mode.TESTNET:
        yield f"{{{endpoint.name}}} is {title}'s main network, but {{mode}} is testnet; remove it"


def _wrong_venues(settings: Settings) -> Iterator[str]:
    for venue in settings.enabled_venues:
        if settings.mode is Mode.TESTNET and venue.without_testnet:
            yield (
                f"{{{venue.enabled}}} is on, but {{mode}} is testnet, which {venue.without_testnet} does not have; "
                "switch it off"
            )
    if settings.mode.sends_orders and settings.venues and not settings.enabled_venues:
        switches = " or ".join(f"{{{venue.enabled}}}" for venue in settings.venues)
        yield f"{{mode}} is {settings.mode}, but no venue is on; set {switches} to true, or choose sim or paper"


def _missing_settings(settings: Settings) -> Iterator[str]:
    """Settings that every process needs of a venue that is on; keys only its worker needs (`Settings.missing_keys`)."""
    for venue in settings.enabled_venues:
        for setting in venue.fields:
            if settings.mode in setting.required_in and setting.name not in settings.venue_values:
                # A secrets directory that cannot be read would make this line a guess, so the line depends on it.
                file = f", or put the file {setting.secret_file} into {{secrets_dir}}" if setting.format.secret else ""
                yield (
                    f"{{{setting.name}}} is missing, but {{mode}} is {settings.mode} and {{{venue.enabled}}} is on; "
                    f"set it{file}"
                )


def _database_logins_without_database(settings: Settings) -> Iterator[str]:
    if settings.database_url is not None:
        return
    for name in ("database_url_ingest", "database_url_app", "database_url_ui", "database_url_owner"):
        if getattr(settings, name) is not None:
            yield f"{{{name}}} is set, but {{database_url}} is not; set {{database_url}} too, or remove {{{name}}}"


def _shares_that_do_not_fit(settings: Settings) -> Iterator[str]:
    for venue in settings.venues:
        if settings.initial_value(venue) is not None and not settings.venue_enabled(venue):
            yield (
                f"{{{venue.initial_value}}} is set, but {{{venue.enabled}}} is off in {{mode}} {settings.mode}; "
                "remove the one, or switch the other on"
            )
    own = [settings.initial_value(venue) for venue in settings.enabled_venues]
    shares = [share for share in own if share is not None]
    total = settings.initial_portfolio_value
    if "initial_portfolio_value" in settings.given and own and len(shares) == len(own) and sum(shares) != total:
        parts = " and ".join(f"{{{venue.initial_value}}}" for venue in settings.enabled_venues)
        make = "make" if len(shares) > 1 else "makes"
        yield f"{parts} {make} {sum(shares)}, but {{initial_portfolio_value}} is {total}; change one, or leave one out"
