"""Recovers the signer of an action; a wrong signature recovers to another address."""

from typing import Any, Final

import msgspec
from eth_account import Account
from eth_account.messages import SignableMessage, encode_typed_data
from eth_utils.crypto import keccak

_DOMAIN_TYPE: Final = keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
_AGENT_TYPE: Final = keccak(b"Agent(string source,bytes32 connectionId)")
_L1_CHAIN: Final = 1337
_L1_DOMAIN: Final = keccak(
    _DOMAIN_TYPE + keccak(b"Exchange") + keccak(b"1") + _L1_CHAIN.to_bytes(32, "big") + bytes(32)
)
_TESTNET: Final = keccak(b"b")
_TYPES: Final[dict[str, tuple[str, list[dict[str, str]]]]] = {
    "approveAgent": (
        "HyperliquidTransaction:ApproveAgent",
        [
            {"name": "hyperliquidChain", "type": "string"},
            {"name": "agentAddress", "type": "address"},
            {"name": "agentName", "type": "string"},
            {"name": "nonce", "type": "uint64"},
        ],
    ),
    "approveBuilderFee": (
        "HyperliquidTransaction:ApproveBuilderFee",
        [
            {"name": "hyperliquidChain", "type": "string"},
            {"name": "maxFeeRate", "type": "string"},
            {"name": "builder", "type": "address"},
            {"name": "nonce", "type": "uint64"},
        ],
    ),
}
USER_SIGNED: Final = frozenset(_TYPES)


class UnrecoverableError(Exception):
    """No address can be recovered."""


def l1_signer(
    action: dict[str, Any], signature: dict[str, Any], nonce: int, vault: str | None, expires_after: int | None
) -> str:
    """Recover the signer of a trading action, given as the venue writes it: other spellings have another hash."""
    data = msgspec.msgpack.encode(action) + nonce.to_bytes(8, "big")
    data += b"\x00" if vault is None else b"\x01" + bytes.fromhex(vault.removeprefix("0x"))
    if expires_after is not None:
        data += b"\x00" + expires_after.to_bytes(8, "big")
    agent = keccak(_AGENT_TYPE + _TESTNET + keccak(data))
    return _recover(SignableMessage(b"\x01", _L1_DOMAIN, agent), signature)


def user_signer(action: dict[str, Any], signature: dict[str, Any]) -> str:
    """Recover the signer of a user-signed action, which wallets display."""
    primary_type, fields = _TYPES[action["type"]]
    message = {"agentName": "", **action, "hyperliquidChain": "Testnet"}
    try:
        domain = {
            "name": "HyperliquidSignTransaction",
            "version": "1",
            "chainId": int(action["signatureChainId"], 16),
            "verifyingContract": "0x" + "0" * 40,
        }
        typed = encode_typed_data(
            domain_data=domain,
            message_types={primary_type: fields},
            message_data={field["name"]: message[field["name"]] for field in fields},
        )
    except Exception as error:
        raise UnrecoverableError from error  # the library raises many types of errors
    return _recover(typed, signature)


def _recover(message: SignableMessage, signature: dict[str, Any]) -> str:
    try:
        vrs = (int(signature["v"]), int(signature["r"], 16), int(signature["s"], 16))
        address: str = Account.recover_message(message, vrs=vrs)
    except Exception as error:
        raise UnrecoverableError from error  # the library raises many types of errors
    return address.lower()
