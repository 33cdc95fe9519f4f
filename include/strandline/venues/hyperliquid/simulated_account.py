"""An account at the simulated Hyperliquid."""

import secrets
from collections.abc import Mapping
from typing import Final

from strandline.model.exact import Money
from strandline.venues.hyperliquid.settings import URL
from strandline.venues.simulated_account import SimulatedAccount


def _make_key() -> str:
    return f"0x{secrets.token_hex(32)}"


def _address_of(key: str) -> str:
    from strandline.venues.hyperliquid.signing import wallet

    return str(wallet(key).address)


def _deposit(address: str, dollars: Money) -> Mapping[str, object]:
    return {"address": address, "usdc": str(dollars.decimal)}


SIMULATED_ACCOUNT: Final = SimulatedAccount(
    servers={URL.name: "hyperliquid"}, make_key=_make_key, address_of=_address_of, deposit=_deposit
)
