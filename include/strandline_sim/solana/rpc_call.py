"""A JSON-RPC call: its parameters, the height that it reads at, and errors."""

import base64
import binascii
from typing import Any, Final, NamedTuple, TypeAlias

from solders.pubkey import Pubkey

from strandline_sim.clock import Clock
from strandline_sim.faults import FaultKind, Faults
from strandline_sim.solana.blocks import Commitment
from strandline_sim.solana.chain import Chain
from strandline_sim.solana.encoding import from_base58
from strandline_sim.solana.transactions import MAX_BYTES

INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS, PARSE_ERROR = -32600, -32601, -32602, -32700
BLOCK_CLEANED_UP, SIMULATION_FAILED, BAD_SIGNATURE, NODE_BEHIND = -32001, -32002, -32003, -32005
SLOT_SKIPPED = -32007
UNSUPPORTED_VERSION, MIN_CONTEXT_SLOT = -32015, -32016
API_VERSION: Final = "3.1.8"
_LONGEST: Final = {"base58": 1683, "base64": 1644}
"""So many letters write the largest transaction; decoding base 58 takes time that grows with the square of them."""


Json: TypeAlias = Any
"""Any JSON value from a client."""


class RpcError(Exception):
    """The `error` of a response."""

    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


class Node(NamedTuple):
    """The state that methods work with."""

    chain: Chain
    clock: Clock
    faults: Faults


class Call:
    """A method with its positional parameters, the last of which may be an object of options."""

    def __init__(self, node: Node, method: str, params: list[Any], options_at: int) -> None:
        self.node = node
        self.method = method
        self.params = params
        options = params[options_at] if len(params) > options_at else None
        if options is not None and not isinstance(options, dict):
            raise RpcError(INVALID_PARAMS, "Invalid params: expected a map of options.")
        self.options: dict[str, Any] = options or {}
        self.newest = node.chain.sync()
        behind = self.inject(FaultKind.NODE_BEHIND)
        self.behind = None if behind is None else max(1, int(behind))

    def inject(self, kind: FaultKind) -> float | None:
        """Inject a fault of this kind into the call; return its value, or None."""
        rule = self.node.faults.inject(f"solana/rpc/{self.method}", self.node.clock.now(), (kind,))
        return None if rule is None else rule.value

    def commitment(self, name: str = "commitment") -> Commitment:
        """Read the commitment; by default finalized."""
        wanted = self.options.get(name) or Commitment.FINALIZED
        try:
            return Commitment(wanted)
        except ValueError:
            raise RpcError(INVALID_PARAMS, f"Invalid params: unknown variant `{wanted}`.") from None

    def height(self, name: str = "commitment") -> int:
        """Return the height that the call reads at: an older one on a node that is behind."""
        height = self.newest - self.commitment(name).depth - (self.behind or 0)
        slot = self.node.chain.blocks.slot_of(height)
        if slot < int(self.options.get("minContextSlot") or 0):
            raise RpcError(MIN_CONTEXT_SLOT, "Minimum context slot has not been reached", {"contextSlot": slot})
        return height

    def first_height(self) -> int:
        """Return the height of the oldest block that the node has: that of the genesis, unless it is pruned."""
        kept_ms = self.inject(FaultKind.PRUNED)
        blocks = self.node.chain.blocks
        return blocks.height_at(0 if kept_ms is None else self.node.clock.now() - int(kept_ms))

    def context(self, height: int, value: object) -> dict[str, Any]:
        """Add the slot of this height to a value."""
        slot = self.node.chain.blocks.slot_of(height)
        return {"context": {"apiVersion": API_VERSION, "slot": slot}, "value": value}

    def param(self, index: int) -> Json:
        """Return a required parameter."""
        if len(self.params) <= index:
            raise RpcError(INVALID_PARAMS, "`params` should have at least " + _arguments(index + 1))
        return self.params[index]

    def address(self, index: int) -> Pubkey:
        """Read an address."""
        return address_of(self.param(index))

    def data(self, index: int, default: str) -> bytes:
        """Read bytes, in the encoding of the options."""
        text = self.param(index)
        encoding = self.options.get("encoding") or default
        longest = _LONGEST.get(encoding) if isinstance(encoding, str) else None
        if longest is None:
            raise RpcError(INVALID_PARAMS, f"unsupported encoding: {encoding}. Supported encodings: base58, base64")
        if isinstance(text, str) and len(text) > longest:
            largest = f"max: encoded/raw {longest}/{MAX_BYTES}"
            message = f"{encoding} encoded solana_transaction too large: {len(text)} bytes ({largest})"
            raise RpcError(INVALID_PARAMS, message)
        try:
            return from_base58(text) if encoding == "base58" else base64.b64decode(text, validate=True)
        except (ValueError, TypeError, binascii.Error) as error:
            raise RpcError(INVALID_PARAMS, f"invalid {encoding} encoding: {error}") from None


def address_of(text: Json) -> Pubkey:
    """Parse an address, or raise RpcError."""
    try:
        return Pubkey.from_string(text)
    except (ValueError, TypeError):
        raise RpcError(INVALID_PARAMS, "Invalid param: WrongSize") from None


def _arguments(number: int) -> str:
    return f"{number} argument(s)"
