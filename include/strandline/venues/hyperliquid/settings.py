"""The settings of Hyperliquid."""

from typing import Final

from strandline.model.mode import Mode
from strandline.model.setting import ValueFormat
from strandline.model.value_formats import pattern, public_url
from strandline.model.venue_settings import VenueSetting, VenueSettingKind, VenueSettings
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS

MAINNET_URL: Final = "https://api.hyperliquid.xyz"
TESTNET_URL: Final = "https://api.hyperliquid-testnet.xyz"

_GROUP: Final = "Hyperliquid"

ADDRESS: Final = VenueSetting(
    name="hyperliquid_address",
    group=_GROUP,
    meaning="The public address of the account; needed in testnet and live.",
    kind=VenueSettingKind.ADDRESS,
    # Not echoed: pasting the private key where the address belongs is an easy slip.
    format=ValueFormat(
        "0x followed by 40 hexadecimal digits", f"0x{'0' * 40}", pattern("0x[0-9a-fA-F]{40}"), echoed=False
    ),
    required_in=frozenset({Mode.TESTNET, Mode.LIVE}),
)
PRIVATE_KEY: Final = VenueSetting(
    name="hyperliquid_key",
    group=_GROUP,
    meaning="The private key of the account's API wallet; needed in testnet and live, by the venue's own worker alone.",
    kind=VenueSettingKind.PRIVATE_KEY,
    format=ValueFormat(
        "0x followed by 64 hexadecimal digits", "0x…", pattern("0x[0-9a-fA-F]{64}"), echoed=False, secret=True
    ),
)
URL: Final = VenueSetting(
    name="hyperliquid_url",
    group=_GROUP,
    meaning="Hyperliquid's API.",
    kind=VenueSettingKind.ENDPOINT,
    format=public_url(MAINNET_URL),
    defaults={Mode.PAPER: MAINNET_URL, Mode.TESTNET: TESTNET_URL, Mode.LIVE: MAINNET_URL},
    default=f"{MAINNET_URL} in paper and live, {TESTNET_URL} in testnet, the simulator in sim",
    has_clock=True,
)

SETTINGS: Final = VenueSettings(
    key=HYPERLIQUID_PERPS,
    name="hyperliquid",
    title=_GROUP,
    fields=(ADDRESS, PRIVATE_KEY, URL),
    enabled_seed_name="HYPERLIQUID_EXECUTOR_ENABLED",
)
