"""A wallet on the simulated Solana."""

import json
from collections.abc import Mapping
from typing import Final

from strandline.model.exact import Money
from strandline.venues.simulated_account import SimulatedAccount
from strandline.venues.solana.settings import JUPITER_URL, RPC_URL

_USDC_UNITS: Final = 10**6
_SOL_FOR_FEES: Final = 1.0


def _make_key() -> str:
    from solders.keypair import Keypair

    return json.dumps(list(bytes(Keypair())))


def _address_of(key: str) -> str:
    from strandline.venues.solana.wallet import keypair

    return str(keypair(key).pubkey())


def _deposit(address: str, dollars: Money) -> Mapping[str, object]:
    return {"address": address, "sol": _SOL_FOR_FEES, "tokens": {"USDC": int(dollars.decimal * _USDC_UNITS)}}


SIMULATED_ACCOUNT: Final = SimulatedAccount(
    servers={RPC_URL.name: "solana", JUPITER_URL.name: "jupiter"},
    make_key=_make_key,
    address_of=_address_of,
    deposit=_deposit,
)
