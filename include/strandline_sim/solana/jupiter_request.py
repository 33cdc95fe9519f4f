"""Shared parts of Jupiter's handlers: the state that they read, parsing of parameters, refusals."""

import base64
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from aiohttp import web
from solders.pubkey import Pubkey

from strandline_sim.clock import Clock
from strandline_sim.faults import FaultKind, Faults
from strandline_sim.solana.blocks import Commitment
from strandline_sim.solana.chain import Chain
from strandline_sim.solana.pools import NoRouteError, Pools
from strandline_sim.web import MalformedJsonError, decode_json, json_response

_MAX_AMOUNT: Final = 2**64 - 1


class RefusedError(Exception):
    """A refusal with the response's body and status."""

    def __init__(self, body: Mapping[str, Any], status: int = 400) -> None:
        super().__init__(str(body))
        self.body = dict(body)
        self.status = status


class Jupiter(NamedTuple):
    """The state that handlers read."""

    chain: Chain
    pools: Pools
    clock: Clock
    faults: Faults

    def instant(self, route: str) -> int:
        """Return the time of prices: that of the newest block, less an injected lag (`value` ms)."""
        height = self.chain.sync()
        lag = self.faults.inject(f"solana/jupiter/{route}", self.clock.now(), (FaultKind.LAG,))
        return self.chain.blocks.time_of(height) - (0 if lag is None else int(lag.value))

    def slot(self) -> int:
        """Return the newest slot."""
        return self.chain.blocks.slot_of(self.chain.sync())

    def confirmed(self) -> int:
        """Return the newest confirmed height, at which Jupiter reads blockhashes."""
        return self.chain.sync() - Commitment.CONFIRMED.depth


Handler = Callable[[web.Request], Any]


def json_handler(handler: Handler) -> Callable[[web.Request], Any]:
    """Convert a handler's result or refusal to a JSON response."""

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            return json_response(await handler(request))
        except RefusedError as refusal:
            return json_response(refusal.body, refusal.status)
        except NoRouteError as error:
            return json_response({"error": str(error), "errorCode": error.code}, 400)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            return json_response({"error": f"Failed to deserialize the JSON body: {error}"}, 422)

    return answer


async def body_of(request: web.Request) -> dict[str, Any]:
    """Read the JSON object of a request."""
    try:
        body = decode_json(await request.read())
    except MalformedJsonError as error:
        raise RefusedError({"error": f"Failed to parse the request body as JSON: {error}"}) from None
    if not isinstance(body, dict):
        raise RefusedError({"error": "Failed to deserialize the JSON body: expected an object"}, 422)
    return body


def address(values: Mapping[str, Any], name: str) -> Pubkey:
    """Read a required address."""
    try:
        return Pubkey.from_string(values[name])
    except (KeyError, TypeError, ValueError):
        raise RefusedError({"error": f"Query parameter {name} cannot be parsed: Invalid"}) from None


def optional_address(values: Mapping[str, Any], name: str) -> Pubkey | None:
    """Read an optional address."""
    return address(values, name) if values.get(name) is not None else None


def whole_number(
    values: Mapping[str, Any], name: str, default: int | None, least: int = 0, most: int = _MAX_AMOUNT
) -> int:
    """Read a whole_number number within bounds."""
    text = values.get(name, default)
    try:
        number = int(text) if isinstance(text, str | int) else -1
    except ValueError:
        number = -1
    if not least <= number <= most:
        raise RefusedError({"error": f"Query parameter {name} cannot be parsed: Invalid"})
    return number


def refuse_unsupported(values: Mapping[str, Any], names: tuple[str, ...]) -> None:
    """Refuse a request that uses one of these parameters, instead of ignoring it."""
    for name in names:
        if values.get(name) not in {None, "", "0", 0, "false"}:
            raise RefusedError({"error": f"{name} is not simulated", "errorCode": "NOT_SUPPORTED"})


def base64_text(data: bytes) -> str:
    """Encode as base 64."""
    return base64.b64encode(data).decode()
