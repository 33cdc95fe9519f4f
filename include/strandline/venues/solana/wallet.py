"""Reads the wallet's key and signs with it."""

from solders.keypair import Keypair
from solders.message import MessageV0, to_bytes_versioned
from solders.transaction import VersionedTransaction

from strandline.model.errors import StrandlineError


def keypair(secret: str | None) -> Keypair:
    """Parse a key in base58, or a JSON array of numbers as of Solana's tools. Errors never contain the secret."""
    if secret is None:
        raise StrandlineError("there is no key for the Solana wallet", "set STRANDLINE_SOLANA_KEY")
    try:
        return Keypair.from_json(secret) if secret.lstrip().startswith("[") else Keypair.from_base58_string(secret)
    except Exception:  # noqa: BLE001  whatever the parser raises may hold the secret, so it goes no further
        raise StrandlineError(
            "the key of the Solana wallet cannot be read", "set STRANDLINE_SOLANA_KEY again"
        ) from None


def signed(message: MessageV0, key: Keypair) -> VersionedTransaction:
    """Sign the message; the same key and message always give the same signature."""
    return VersionedTransaction.populate(message, [key.sign_message(to_bytes_versioned(message))])
