"""What a venue's code is given: where the venue is, as whom, within which limits, and what time it is."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from strandline.model.exact import Money
from strandline.model.strategy import Execution


@dataclass(frozen=True)
class VenueConfig:
    """One per venue. `key` is None wherever orders are not signed; it is kept out of every repr.

    `url` is the venue's API, or Jupiter's; `rpc_url` is Solana's node. `opening_cash` is what a paper account
    starts with.
    """

    clock: Callable[[], datetime]
    limits: Execution
    url: str
    rpc_url: str | None = None
    address: str | None = None
    key: str | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)
    mainnet: bool = False
    paper: bool = False
    opening_cash: Money | None = None
