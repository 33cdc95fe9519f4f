"""A Solana node over JSON-RPC: what we ask of it.

Whatever goes wrong is a `NodeError`; its text names no URL, which may hold a key. Answers are read here and not by
the client's own types, which turn an error whose code they do not know into a number.
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
"""For so many blocks after its own a blockhash may be used."""


class NodeError(Exception):
    """The node could not be asked, refused, or its answer makes no sense."""


class Account(msgspec.Struct, rename="camel", frozen=True):
    """An account as it is stored."""

    lamports: int
    owner: str
    data: tuple[str, str]

    @property
    def content(self) -> bytes:
        """Its bytes."""
        return base64.b64decode(self.data[0])


class Status(msgspec.Struct, rename="camel", frozen=True):
    """What became of a transaction; `err` is None where it did what it was meant to."""

    slot: int
    err: Any
    confirmation_status: str | None


class Look(msgspec.Struct, frozen=True):
    """A status, or None where the node knows of none, and how far the node was then."""

    slot: int
    status: Status | None


class TokenAmount(msgspec.Struct, frozen=True):
    """Raw."""

    amount: str


class TokenBalance(msgspec.Struct, rename="camel", frozen=True):
    """What one token account held."""

    mint: str
    ui_token_amount: TokenAmount
    owner: str | None = None


class Effects(msgspec.Struct, rename="camel", frozen=True):
    """What a transaction did. The first of the balances is the fee payer's."""

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
    """What a transaction would have done, and the accounts that were asked for, as they would be after it."""

    err: Any
    accounts: list[Account | None] | None


class Finality(msgspec.Struct, frozen=True):
    """How far the node is with what can never be undone."""

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
    """One node. Balances are those of confirmed blocks."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def genesis(self) -> str:
        """Which cluster it belongs to."""
        return await self._ask("getGenesisHash", [], str)

    async def accounts(self, addresses: Sequence[str]) -> list[Account | None]:
        """All as of one block; None for what does not exist."""
        options = {"encoding": "base64", "commitment": CONFIRMED}
        found = await self._ask("getMultipleAccounts", [list(addresses), options], _Found)
        accounts = _converted(found.value, list[Account | None])
        if len(accounts) != len(addresses):
            raise NodeError(f"getMultipleAccounts: {len(accounts)} accounts for {len(addresses)} addresses")
        return accounts

    async def simulate(self, transaction: str, addresses: Sequence[str]) -> Simulation:
        """Simulate it, unsigned; the blockhash does not matter yet."""
        options = {
            "encoding": "base64",
            "commitment": CONFIRMED,
            "sigVerify": False,
            "replaceRecentBlockhash": True,
            "accounts": {"encoding": "base64", "addresses": list(addresses)},
        }
        found = await self._ask("simulateTransaction", [transaction, options], _Found)
        return _converted(found.value, Simulation)

    async def send(self, transaction: bytes) -> None:
        """Pass it on, once and without a rehearsal: what fails on the chain is known for good within seconds."""
        options = {"encoding": "base64", "skipPreflight": True, "maxRetries": 0}
        await self._ask("sendTransaction", [base64.b64encode(transaction).decode(), options], str)

    async def look(self, signature: str, *, everywhere: bool = False) -> Look:
        """What became of it; recently, or in all that the node remembers."""
        options = {"searchTransactionHistory": everywhere}
        found = await self._ask("getSignatureStatuses", [[signature], options], _Found)
        [status] = _converted(found.value, tuple[Status | None])
        return Look(found.context.slot, status)

    async def transaction(self, signature: str, commitment: str = CONFIRMED) -> Transaction | None:
        """What it did, if it is in a block that is sure enough."""
        options = {"encoding": "json", "commitment": commitment, "maxSupportedTransactionVersion": 0}
        answer = await self._call("getTransaction", [signature, options])
        return None if answer is None else _converted(answer, Transaction)

    async def finality(self) -> Finality:
        """Slot and height of the newest finalized block, as of the same moment."""
        found = await self._ask("getLatestBlockhash", [{"commitment": FINALIZED}], _Found)
        blockhash = _converted(found.value, _Blockhash)
        return Finality(found.context.slot, blockhash.last_valid_block_height - VALID_BLOCKS)

    async def usable(self, blockhash: str) -> bool:
        """Whether a transaction may still use it, after the newest finalized block."""
        found = await self._ask("isBlockhashValid", [blockhash, {"commitment": FINALIZED}], _Found)
        return _converted(found.value, bool)

    async def _ask(self, method: str, params: list[object], kind: type[T]) -> T:
        return _converted(await self._call(method, params), kind)

    async def _call(self, method: str, params: list[object]) -> object:
        try:
            answer: object = await self._client.send_rpc_request(JsonRpcRequest(method=method, params=params), object)
        except SolanaJsonRpcError as error:
            raise NodeError(f"{method} was refused: {error.code} {error}") from error
        except ValidationError as error:
            raise NodeError(f"{method} was answered with something else than JSON-RPC") from error
        except SolanaRpcException as error:
            raise NodeError(f"{method} was not answered: {_cause(error)}") from error
        return answer


def _converted(value: object, kind: type[T]) -> T:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise NodeError(f"the node's answer cannot be read: {error}") from error


def _cause(error: SolanaRpcException) -> str:
    status = getattr(getattr(error.__cause__, "response", None), "status_code", None)
    return f"HTTP {status}" if status is not None else type(error.__cause__).__name__
