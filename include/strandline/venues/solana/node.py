"""Client of a Solana node's JSON-RPC API.

Every failure is a `NodeError`; its text contains no URL, which may contain a key. Responses are decoded here and not by
the library's own types, which turn an error whose code they do not know into a number.
"""

import base64
from collections.abc import Sequence
from typing import Any, Final, TypeVar

import msgspec
from pydantic import ValidationError
from solana.exceptions import SolanaRpcException
from solana.rpc.async_api import AsyncClient
from solana.rpc.jsonrpc import JsonRpcRequest, SolanaJsonRpcError

T = TypeVar("T")

CONFIRMED, FINALIZED = "confirmed", "finalized"
VALID_BLOCKS: Final = 150
"""The number of blocks for which a blockhash is valid."""


class NodeError(Exception):
    """The node could not be reached, refused, or its response is invalid."""


class Account(msgspec.Struct, rename="camel", frozen=True):
    """An account of the chain."""

    lamports: int
    owner: str
    data: tuple[str, str]

    @property
    def content(self) -> bytes:
        """Decode its data."""
        return base64.b64decode(self.data[0])


class Status(msgspec.Struct, rename="camel", frozen=True):
    """The status of a transaction; `err` is None if it succeeded."""

    slot: int
    err: Any
    confirmation_status: str | None


class StatusResponse(msgspec.Struct, frozen=True):
    """A transaction's status, None if unknown to the node, and the node's slot at that time."""

    slot: int
    status: Status | None


class TokenAmount(msgspec.Struct, frozen=True):
    """A token amount in raw units."""

    amount: str


class TokenBalance(msgspec.Struct, rename="camel", frozen=True):
    """The balance of a token account before or after a transaction."""

    mint: str
    ui_token_amount: TokenAmount
    owner: str | None = None


class Effects(msgspec.Struct, rename="camel", frozen=True):
    """The effects of a transaction. The first of the balances is the fee payer's."""

    err: Any
    fee: int
    pre_balances: list[int]
    post_balances: list[int]
    pre_token_balances: list[TokenBalance]
    post_token_balances: list[TokenBalance]


class Transaction(msgspec.Struct, rename="camel", frozen=True):
    """A transaction in a block; `block_time` is in seconds."""

    meta: Effects
    block_time: int | None = None


class Simulation(msgspec.Struct, frozen=True):
    """The result of a simulation, and the requested accounts as they would be afterwards."""

    err: Any
    accounts: list[Account | None] | None


class Finality(msgspec.Struct, frozen=True):
    """The newest finalized block."""

    slot: int
    height: int


class _Context(msgspec.Struct, frozen=True):
    slot: int


class _Found(msgspec.Struct, frozen=True):
    context: _Context
    value: Any


class _Blockhash(msgspec.Struct, rename="camel", frozen=True):
    last_valid_block_height: int


class Node:
    """One node. Balances are read at confirmed blocks."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def genesis_hash(self) -> str:
        """Read the genesis hash, which identifies the cluster."""
        return await self._request("getGenesisHash", [], str)

    async def accounts(self, addresses: Sequence[str]) -> list[Account | None]:
        """Read accounts as of one block; None for those that do not exist."""
        options = {"encoding": "base64", "commitment": CONFIRMED}
        found = await self._request("getMultipleAccounts", [list(addresses), options], _Found)
        accounts = _converted(found.value, list[Account | None])
        if len(accounts) != len(addresses):
            raise NodeError(f"getMultipleAccounts: {len(accounts)} accounts for {len(addresses)} addresses")
        return accounts

    async def simulate(self, transaction: str, addresses: Sequence[str]) -> Simulation:
        """Simulate an unsigned transaction, with any blockhash."""
        options = {
            "encoding": "base64",
            "commitment": CONFIRMED,
            "sigVerify": False,
            "replaceRecentBlockhash": True,
            "accounts": {"encoding": "base64", "addresses": list(addresses)},
        }
        found = await self._request("simulateTransaction", [transaction, options], _Found)
        return _converted(found.value, Simulation)

    async def send(self, transaction: bytes) -> None:
        """Send it once, without preflight: a failure on the chain is final within seconds."""
        options = {"encoding": "base64", "skipPreflight": True, "maxRetries": 0}
        await self._request("sendTransaction", [base64.b64encode(transaction).decode(), options], str)

    async def signature_status(self, signature: str, *, search_history: bool = False) -> StatusResponse:
        """Read a transaction's status, from recent slots or from the node's whole history."""
        options = {"searchTransactionHistory": search_history}
        found = await self._request("getSignatureStatuses", [[signature], options], _Found)
        [status] = _converted(found.value, tuple[Status | None])
        return StatusResponse(found.context.slot, status)

    async def transaction(self, signature: str, commitment: str = CONFIRMED) -> Transaction | None:
        """Read a transaction, if it is in a block of this commitment."""
        options = {"encoding": "json", "commitment": commitment, "maxSupportedTransactionVersion": 0}
        answer = await self._call("getTransaction", [signature, options])
        return None if answer is None else _converted(answer, Transaction)

    async def finality(self) -> Finality:
        """Read slot and height of the newest finalized block."""
        found = await self._request("getLatestBlockhash", [{"commitment": FINALIZED}], _Found)
        blockhash = _converted(found.value, _Blockhash)
        return Finality(found.context.slot, blockhash.last_valid_block_height - VALID_BLOCKS)

    async def is_blockhash_valid(self, blockhash: str) -> bool:
        """Whether a transaction may still use it after the newest finalized block."""
        found = await self._request("isBlockhashValid", [blockhash, {"commitment": FINALIZED}], _Found)
        return _converted(found.value, bool)

    async def _request(self, method: str, params: list[object], kind: type[T]) -> T:
        return _converted(await self._call(method, params), kind)

    async def _call(self, method: str, params: list[object]) -> object:
        try:
            answer: object = await self._client.send_rpc_request(JsonRpcRequest(method=method, params=params), object)
        except SolanaJsonRpcError as error:
            raise NodeError(f"{method} was refused: {error.code} {error}") from error
        except ValidationError as error:
            raise NodeError(f"{method} got a response that is not JSON-RPC") from error
        except SolanaRpcException as error:
            raise NodeError(f"{method} got no response: {_cause(error)}") from error
        return answer


def _converted(value: object, kind: type[T]) -> T:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise NodeError(f"the node's response cannot be read: {error}") from error


def _cause(error: SolanaRpcException) -> str:
    status = getattr(getattr(error.__cause__, "response", None), "status_code", None)
    return f"HTTP {status}" if status is not None else type(error.__cause__).__name__
