"""The demo accounts of mode sim: made once per home, worth nothing outside of the simulator."""

import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from strandline.cli.up.state_file import read_or_make
from strandline.settings import PREFIX, Settings


@dataclass(frozen=True)
class Accounts:
    """Who trades in the simulator."""

    hyperliquid_key: str = field(repr=False)
    hyperliquid_address: str
    solana_key: str = field(repr=False)
    solana_address: str

    @property
    def public(self) -> dict[str, str]:
        """What every process may know."""
        return {f"{PREFIX}HYPERLIQUID_ADDRESS": self.hyperliquid_address}

    @property
    def private(self) -> dict[str, str]:
        """What only those that trade may know."""
        return {f"{PREFIX}HYPERLIQUID_KEY": self.hyperliquid_key, f"{PREFIX}SOLANA_KEY": self.solana_key}


PRIVATE_VARIABLES = (f"{PREFIX}HYPERLIQUID_KEY", f"{PREFIX}SOLANA_KEY")
"""Nobody but those that trade is given them, whoever set them."""


def demo_accounts(file: Path, settings: Settings) -> Accounts:
    """Keys that the person set are used; what is missing is made once and kept."""
    made = read_or_make(file, _make)
    given = settings.venue_text("hyperliquid_key")
    ethereum_key = given or made["hyperliquid_key"]
    solana_key = settings.venue_text("solana_key") or made["solana_key"]
    address = settings.venue_text("hyperliquid_address") or (
        _ethereum_address(given) if given else made["hyperliquid_address"]
    )
    return Accounts(ethereum_key, address, solana_key, _solana_address(solana_key))


def _make() -> dict[str, str]:
    from solders.keypair import Keypair

    key = f"0x{secrets.token_hex(32)}"
    return {
        "hyperliquid_key": key,
        "hyperliquid_address": _ethereum_address(key),
        "solana_key": json.dumps(list(bytes(Keypair()))),
    }


def _ethereum_address(key: str) -> str:
    from eth_account import Account

    return str(Account.from_key(key).address)


def _solana_address(key: str) -> str:
    from solders.keypair import Keypair

    pair = Keypair.from_json(key) if key.startswith("[") else Keypair.from_base58_string(key)
    return str(pair.pubkey())
