"""JSON-RPC methods for accounts and balances."""

import base64
from functools import partial
from typing import Any, Final

from solders.account import Account
from solders.pubkey import Pubkey

from strandline_sim.solana.encoding import base58, zstd_frame
from strandline_sim.solana.parsed_accounts import parsed_account, ui_amount
from strandline_sim.solana.rpc_call import INVALID_PARAMS, INVALID_REQUEST, Call, RpcError, address_of
from strandline_sim.solana.token_accounts import TOKEN_PROGRAMS, read_holding, read_mint

_MAX_ACCOUNTS: Final = 100
_MAX_BASE58_BYTES: Final = 128
_MAX_LAMPORTS: Final = 2**64 - 1


def get_balance(call: Call) -> dict[str, Any]:
    """Return the balance in lamports."""
    height = call.height()
    account = call.node.chain.accounts.at(call.address(0), height)
    return call.context(height, account.lamports if account is not None else 0)


def get_account_info(call: Call) -> dict[str, Any]:
    """Return an account, or null."""
    height = call.height()
    return call.context(height, _account(call, call.address(0), height))


def get_multiple_accounts(call: Call) -> dict[str, Any]:
    """Return several accounts, null for each that does not exist."""
    addresses = call.param(0)
    if not isinstance(addresses, list) or len(addresses) > _MAX_ACCOUNTS:
        raise RpcError(INVALID_PARAMS, f"Too many inputs provided; max {_MAX_ACCOUNTS}")
    height = call.height()
    return call.context(height, [_account(call, address_of(address), height) for address in addresses])


def get_token_account_balance(call: Call) -> dict[str, Any]:
    """Return the balance of a token account."""
    height = call.height()
    account = _existing_account(call, height)
    holding = read_holding(account.owner, account.data)
    if holding is None:
        raise RpcError(INVALID_PARAMS, "Invalid param: not a Token account")
    return call.context(height, ui_amount(holding.amount, decimals_of(call, holding.mint)))


def get_token_supply(call: Call) -> dict[str, Any]:
    """Return the supply of a mint."""
    height = call.height()
    account = _existing_account(call, height)
    mint = read_mint(account.owner, account.data)
    if mint is None:
        raise RpcError(INVALID_PARAMS, "Invalid param: not a Token mint")
    return call.context(height, ui_amount(*mint))


def get_token_accounts_by_owner(call: Call) -> dict[str, Any]:
    """Return a wallet's token accounts of one mint or one token program."""
    height = call.height()
    wanted = call.param(1)
    mint = address_of(wanted["mint"]) if "mint" in wanted else None
    if mint is not None and call.node.chain.accounts.get(mint) is None:
        raise RpcError(INVALID_PARAMS, "Invalid param: could not find mint")
    program = None if mint is not None else address_of(wanted.get("programId"))
    if program is not None and program not in TOKEN_PROGRAMS:
        raise RpcError(INVALID_PARAMS, "Invalid param: unrecognized Token program id")
    found = [
        {"pubkey": str(address), "account": account_json(call, account)}
        for address, account, holding in call.node.chain.accounts.of_owner(call.address(0), height)
        if holding.mint == mint or account.owner == program
    ]
    return call.context(height, found)


def account_json(call: Call, account: Account) -> dict[str, Any]:
    """Make the JSON of an account, in the encoding of the options."""
    data = bytes(account.data)
    return {
        "data": _data(call, account, data),
        "executable": account.executable,
        "lamports": account.lamports,
        "owner": str(account.owner),
        "rentEpoch": min(account.rent_epoch, _MAX_LAMPORTS),
        "space": len(data),
    }


def decimals_of(call: Call, mint: Pubkey) -> int:
    """Read the decimals of a mint."""
    account = call.node.chain.accounts.get(mint)
    facts = read_mint(account.owner, account.data) if account is not None else None
    return facts[1] if facts is not None else 0


def _existing_account(call: Call, height: int) -> Account:
    """Return the account that the first parameter names, or refuse the call."""
    account = call.node.chain.accounts.at(call.address(0), height)
    if account is None:
        raise RpcError(INVALID_PARAMS, "Invalid param: could not find account")
    return account


def _account(call: Call, address: Pubkey, height: int) -> dict[str, Any] | None:
    account = call.node.chain.accounts.at(address, height)
    return None if account is None else account_json(call, account)


def _data(call: Call, account: Account, data: bytes) -> object:
    encoding = call.options.get("encoding")
    if encoding == "jsonParsed":
        parsed = parsed_account(account.owner, data, partial(decimals_of, call))
        if parsed is not None:
            return parsed
        encoding = "base64"
    piece = call.options.get("dataSlice")
    if piece:
        data = data[piece["offset"] : piece["offset"] + piece["length"]]
    if encoding == "base64":
        return [base64.b64encode(data).decode(), "base64"]
    if encoding == "base64+zstd":
        return [base64.b64encode(zstd_frame(data)).decode(), "base64+zstd"]
    if encoding not in {None, "base58"}:
        raise RpcError(INVALID_PARAMS, f"Invalid params: encoding {encoding} is not simulated")
    if len(data) > _MAX_BASE58_BYTES:
        message = "Encoded binary (base 58) data should be less than 128 bytes, please use Base64 encoding."
        raise RpcError(INVALID_REQUEST, message)
    return base58(data) if encoding is None else [base58(data), "base58"]
