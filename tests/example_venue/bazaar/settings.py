"""The settings of Bazaar."""

from typing import Final

from strandline.model.mode import Mode
from strandline.model.value_formats import api_key, public_url
from strandline.model.venue_settings import VenueSetting, VenueSettingKind, VenueSettings
from tests.example_venue.bazaar.key import BAZAAR_SPOT

_GROUP: Final = "Bazaar"
_MAINNET_URL: Final = "https://api.bazaar.example"

URL: Final = VenueSetting(
    name="bazaar_url",
    group=_GROUP,
    meaning="Bazaar's API.",
    kind=VenueSettingKind.ENDPOINT,
    format=public_url(_MAINNET_URL),
    defaults={Mode.PAPER: _MAINNET_URL, Mode.LIVE: _MAINNET_URL},
    default=f"{_MAINNET_URL} in paper and live",
)
PRIVATE_KEY: Final = VenueSetting(
    name="bazaar_key",
    group=_GROUP,
    meaning="The API key that signs orders; needed in live, by the venue's own worker alone.",
    kind=VenueSettingKind.PRIVATE_KEY,
    format=api_key(),
)

SETTINGS: Final = VenueSettings(
    key=BAZAAR_SPOT,
    name="bazaar",
    title=_GROUP,
    fields=(URL, PRIVATE_KEY),
    without_testnet="Bazaar",
)
