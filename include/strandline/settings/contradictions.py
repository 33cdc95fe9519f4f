"""What contradicts what.

Each is a line with the settings that it rests on in braces, so that it can name them as the user wrote them, and can be
left out while one of them is faulty itself.
"""

import ipaddress
from collections.abc import Iterator
from string import Formatter
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from strandline.settings.words import (
    HYPERLIQUID_MAINNET_URL,
    HYPERLIQUID_TESTNET_URL,
    VENUES,
    Mode,
    VenueName,
    variable_name,
)

if TYPE_CHECKING:
    from strandline.settings.fields import Settings


class ContradictionsError(ValueError):
    def __init__(self, lines: tuple[str, ...]) -> None:
        super().__init__("\n".join(line.format_map(OwnNames()) for line in lines))
        self.lines = lines


class OwnNames(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return variable_name(name)


def rests_on(line: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(line) if name}


def contradictions(settings: "Settings") -> Iterator[str]:
    yield from _wrong_network(settings)
    yield from _wrong_venues(settings)
    yield from _missing_addresses(settings)
    yield from _database_logins_without_database(settings)
    yield from _shares_that_do_not_fit(settings)


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "").rstrip(".")


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _venue_hosts(settings: "Settings") -> dict[str, str]:
    """The host of every venue URL that is set, by the name of its setting."""
    urls = {"hyperliquid_url": settings.hyperliquid_url}
    secret_urls = {"solana_rpc_url": settings.solana_rpc_url, "jupiter_url": settings.jupiter_url}
    urls |= {name: url.get_secret_value() for name, url in secret_urls.items() if url}
    return {name: _host(url) for name, url in urls.items() if url}


def _wrong_network(settings: "Settings") -> Iterator[str]:
    hosts = _venue_hosts(settings)
    for name, host in hosts.items():
        if settings.mode is Mode.SIM and not _is_this_machine(host):
            yield f"{{{name}}} leaves this machine, which {{mode}} sim never does; remove it, or choose another mode"
        if settings.mode is Mode.LIVE and _is_this_machine(host):
            yield f"{{{name}}} is on this machine, but {{mode}} is live; remove it, or give the venue's own URL"
    hyperliquid = hosts.get("hyperliquid_url")
    if hyperliquid == _host(HYPERLIQUID_TESTNET_URL) and settings.mode in {Mode.PAPER, Mode.LIVE}:
        yield (
            "{hyperliquid_url} is Hyperliquid's test network, "
            f"but {{mode}} is {settings.mode}; remove it, or set {{mode}} to testnet"
        )
    if hyperliquid == _host(HYPERLIQUID_MAINNET_URL) and settings.mode is Mode.TESTNET:
        yield "{hyperliquid_url} is Hyperliquid's main network, but {mode} is testnet; remove it"


def _wrong_venues(settings: "Settings") -> Iterator[str]:
    if settings.mode is Mode.TESTNET and settings.venue_enabled("solana"):
        yield "{solana_enabled} is on, but {mode} is testnet, which Jupiter does not have; switch it off"
    if settings.mode in {Mode.TESTNET, Mode.LIVE} and not settings.enabled_venues:
        yield (
            f"{{mode}} is {settings.mode}, but no venue is on; "
            "set {hyperliquid_enabled} or {solana_enabled} to true, or choose sim or paper"
        )


def _missing_addresses(settings: "Settings") -> Iterator[str]:
    """What every process needs to know of a venue that is on; keys are its worker's alone (`Settings.missing_keys`)."""
    needed: list[tuple[VenueName, str, str]] = []
    if settings.mode in {Mode.TESTNET, Mode.LIVE}:
        needed.append(("hyperliquid", "hyperliquid_address", "set it"))
    if settings.mode is Mode.LIVE:
        # A secrets directory that cannot be read would make this line a guess, so the line rests on it.
        file = "set it, or put the file strandline_solana_rpc_url into {secrets_dir}"
        needed.append(("solana", "solana_rpc_url", file))
    for venue, name, remedy in needed:
        if settings.venue_enabled(venue) and getattr(settings, name) is None:
            yield f"{{{name}}} is missing, but {{mode}} is {settings.mode} and {{{venue}_enabled}} is on; {remedy}"


def _database_logins_without_database(settings: "Settings") -> Iterator[str]:
    if settings.database_url is not None:
        return
    for name in ("database_url_ingest", "database_url_app", "database_url_ui", "database_url_owner"):
        if getattr(settings, name) is not None:
            yield f"{{{name}}} is set, but {{database_url}} is not; set {{database_url}} too, or remove {{{name}}}"


def _shares_that_do_not_fit(settings: "Settings") -> Iterator[str]:
    shares = {"hyperliquid": settings.hyperliquid_initial_value, "solana": settings.solana_initial_value}
    for venue in VENUES:
        if shares[venue] is not None and not settings.venue_enabled(venue):
            yield (
                f"{{{venue}_initial_value}} is set, but {{{venue}_enabled}} is off in {{mode}} {settings.mode}; "
                f"remove the one, or switch the other on"
            )
    own = [shares[venue] for venue in settings.enabled_venues]
    known = [share for share in own if share is not None]
    total = settings.initial_portfolio_value
    said = "initial_portfolio_value" in settings.model_fields_set
    if said and own and len(known) == len(own) and sum(known) != total:
        parts = " and ".join(f"{{{venue}_initial_value}}" for venue in settings.enabled_venues)
        make = "make" if len(known) > 1 else "makes"
        yield f"{parts} {make} {sum(known)}, but {{initial_portfolio_value}} is {total}; change one, or leave one out"
