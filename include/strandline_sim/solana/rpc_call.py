"""One JSON-RPC call: its parameters, the state that it may see, and how it is refused."""

import base64
import binascii
from typing import Any, Final, NamedTuple, TypeAlias

from solders.pubkey import Pubkey

from strandline_sim.clock import Clock
from strandline_sim.faults import FaultKind, Faults
from strandline_sim.solana.blocks import Commitment
from strandline_sim.solana.chain import Chain
from strandline_sim.solana.encoding import from_base58

INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS, PARSE_ERROR = -32600, -32601, -32602, -32700
SIMULATION_FAILED, BAD_SIGNATURE, NODE_BEHIND = -32002, -32003, -32005
UNSUPPORTED_VERSION, MIN_CONTEXT_SLOT = -32015, -32016
API_VERSION: Final = "3.1.8"


Json: TypeAlias = Any
"""Whatever a client sends."""


class RpcError(Exception):
    """What the client gets as `error`."""

    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


class Node(NamedTuple):
    """What every method works with."""

    chain: Chain
    clock: Clock
    faults: Faults


class Call:
    """A method with its parameters, positional, the last of which may be a table of options."""

    def __init__(self, node: Node, method: str, params: list[Any], options_at: int) -> None:
        self.node = node
        self.method = method
        self.params = params
        options = params[options_at] if len(params) > options_at else None
        if options is not None and not isinstance(options, dict):
            raise RpcError(INVALID_PARAMS, "Invalid params: expected a map of options.")
        self.options: dict[str, Any] = options or {}
        self.newest = node.chain.sync()
        behind = self.hit_by(FaultKind.NODE_BEHIND)
        self.behind = None if behind is None else max(1, int(behind))

    def hit_by(self, kind: FaultKind) -> float | None:
        """The value of the fault of this kind, if one hits this call."""
        rule = self.node.faults.inject(f"solana/rpc/{self.method}", self.node.clock.now(), (kind,))
        return None if rule is None else rule.value

    def commitment(self, name: str = "commitment") -> Commitment:
        """What the options ask for; finalized if they do not."""
        wanted = self.options.get(name) or Commitment.FINALIZED
        try:
            return Commitment(wanted)
        except ValueError:
            raise RpcError(INVALID_PARAMS, f"Invalid params: unknown variant `{wanted}`.") from None

    def height(self, name: str = "commitment") -> int:
        """The height of the block whose state the call sees; a node that is behind sees an older one."""
        height = self.newest - self.commitment(name).depth - (self.behind or 0)
        slot = self.node.chain.blocks.slot_of(height)
        if slot < int(self.options.get("minContextSlot") or 0):
            raise RpcError(MIN_CONTEXT_SLOT, "Minimum context slot has not been reached", {"contextSlot": slot})
        return height

    def context(self, height: int, value: object) -> dict[str, Any]:
        """The value, and the slot as of which it is true."""
        slot = self.node.chain.blocks.slot_of(height)
        return {"context": {"apiVersion": API_VERSION, "slot": slot}, "value": value}

    def param(self, index: int) -> Json:
        """A parameter that must be there."""
        if len(self.params) <= index:
            raise RpcError(INVALID_PARAMS, "`params` should have at least " + _arguments(index + 1))
        return self.params[index]

    def address(self, index: int) -> Pubkey:
        """A parameter that is an address."""
        return address_of(self.param(index))

    def data(self, index: int, default: str) -> bytes:
        """A parameter that is bytes, in the encoding of the options."""
        text = self.param(index)
        encoding = self.options.get("encoding") or default
        try:
            return from_base58(text) if encoding == "base58" else base64.b64decode(text, validate=True)
        except (ValueError, TypeError, binascii.Error) as error:
            raise RpcError(INVALID_PARAMS, f"invalid {encoding} encoding: {error}") from None


def address_of(text: Json) -> Pubkey:
    """An address, or a refusal."""
    try:
        return Pubkey.from_string(text)
    except (ValueError, TypeError):
        raise RpcError(INVALID_PARAMS, "Invalid param: WrongSize") from None


def _arguments(number: int) -> str:
    return f"{number} argument(s)"
