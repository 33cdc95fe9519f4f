"""The settings of Solana."""

import json
from typing import Final

from strandline.model.mode import Mode
from strandline.model.setting import ValueFormat
from strandline.model.value_formats import api_key, secret_url
from strandline.model.venue_settings import VenueSetting, VenueSettingKind, VenueSettings
from strandline.venues.solana.key import SOLANA_ONCHAIN

MAINNET_RPC_URL: Final = "https://api.mainnet-beta.solana.com"
JUPITER_MAINNET_URL: Final = "https://api.jup.ag"

_GROUP: Final = "Solana"
_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_KEY_BYTES: Final = 64


def _private_key(text: str) -> str:
    return _key_of_numbers(text) if text.startswith("[") else _key_in_base58(text)


def _key_of_numbers(text: str) -> str:
    numbers = json.loads(text)
    bytes_only = all(type(number) is int and 0 <= number <= 255 for number in numbers)
    if len(numbers) != _KEY_BYTES or not bytes_only:
        raise ValueError
    return text


def _key_in_base58(text: str) -> str:
    if len(text) not in {87, 88}:
        raise ValueError
    number = 0
    for character in text:
        number = number * 58 + _BASE58.index(character)
    # 88 characters can stand for more than 64 bytes hold.
    if number >= 256**_KEY_BYTES:
        raise ValueError
    return text


PRIVATE_KEY: Final = VenueSetting(
    name="solana_key",
    group=_GROUP,
    meaning="The private key of the wallet; needed in live, by the venue's own worker alone.",
    kind=VenueSettingKind.PRIVATE_KEY,
    format=ValueFormat(
        "a base58 text of 87 or 88 characters, or a JSON array of 64 numbers from 0 to 255",
        "[174,47,…]",
        _private_key,
        echoed=False,
        secret=True,
    ),
)
RPC_URL: Final = VenueSetting(
    name="solana_rpc_url",
    group=_GROUP,
    meaning="The RPC node, with the provider's API key if it has one; needed in live.",
    kind=VenueSettingKind.ENDPOINT,
    format=secret_url("https://rpc.example.org/?api-key=…"),
    defaults={Mode.PAPER: MAINNET_RPC_URL, Mode.LIVE: MAINNET_RPC_URL},
    default=f"{MAINNET_RPC_URL} in paper, the simulator in sim",
    required_in=frozenset({Mode.LIVE}),
)
JUPITER_URL: Final = VenueSetting(
    name="jupiter_url",
    group=_GROUP,
    meaning="Jupiter's API, which quotes, routes and prices the trades on Solana.",
    kind=VenueSettingKind.ENDPOINT,
    format=secret_url(JUPITER_MAINNET_URL),
    defaults={Mode.PAPER: JUPITER_MAINNET_URL, Mode.LIVE: JUPITER_MAINNET_URL},
    default=f"{JUPITER_MAINNET_URL} in paper and live, the simulator in sim",
)
JUPITER_API_KEY: Final = VenueSetting(
    name="jupiter_api_key",
    group=_GROUP,
    meaning="The key of Jupiter's API; it raises the rate limit.",
    kind=VenueSettingKind.OTHER,
    format=api_key(),
)

SETTINGS: Final = VenueSettings(
    key=SOLANA_ONCHAIN,
    name="solana",
    title=_GROUP,
    fields=(PRIVATE_KEY, RPC_URL, JUPITER_URL, JUPITER_API_KEY),
    without_testnet="Jupiter",
)
