"""The venue reads what was signed, and recovers the signer."""

from decimal import Decimal
from typing import Any

import msgspec
from hyperliquid.utils.signing import (  # type: ignore[import-untyped]
    float_to_wire,
    recover_agent_or_user_from_l1_action,
)
from hypothesis import given
from hypothesis import strategies as st

from strandline.model.exact import Quantity
from strandline.model.plan import ExecutionPlan
from strandline.model.side import Side
from strandline.venues.hyperliquid.signing import NOOP, Signer, leverage_action, order_action
from tests.model.generated import plans
from tests.strandline_sim.hyperliquid.sample_venue import ALICE

nonces = st.integers(1, 2**53 - 1)


def read(body: bytes) -> dict[str, Any]:
    request: dict[str, Any] = msgspec.json.decode(body)
    return request


def signer_of(request: dict[str, Any], *, mainnet: bool) -> str:
    address: str = recover_agent_or_user_from_l1_action(
        request["action"],
        request["signature"],
        request["vaultAddress"],
        request["nonce"],
        request["expiresAfter"],
        mainnet,
    )
    return address


@given(plans(), st.integers(0, 500), nonces, st.none() | nonces, st.booleans())
def test_the_venue_recovers_our_signature(
    plan: ExecutionPlan, asset: int, nonce: int, expires: int | None, mainnet: bool
) -> None:
    signer = Signer(ALICE, mainnet)
    for action in (order_action(plan, asset), leverage_action(asset, 1), NOOP):
        body = signer.body(action, nonce, expires)
        request = read(body)
        assert (request["nonce"], request["expiresAfter"], request["vaultAddress"]) == (nonce, expires, None)
        assert signer_of(request, mainnet=mainnet) == ALICE.address
        assert signer_of(request, mainnet=not mainnet) != ALICE.address
        assert signer.body(action, nonce, expires) == body


@given(plans(), st.integers(0, 500))
def test_an_order_equals_its_plan(plan: ExecutionPlan, asset: int) -> None:
    (wire,) = order_action(plan, asset)["orders"]
    assert list(wire) == ["a", "b", "p", "s", "r", "t", "c"]
    assert (wire["a"], wire["b"], wire["r"]) == (asset, plan.side is Side.BUY, plan.side is Side.SELL)
    assert (wire["p"], wire["s"]) == (str(plan.limit_price), str(plan.quantity))
    assert wire["t"] == {"limit": {"tif": "Ioc"}}
    assert int(wire["c"], 16) == plan.order_id.int
    assert len(wire["c"]) == 34


@given(st.decimals(0, 100_000, places=6))
def test_numbers_are_formatted_as_the_venue_does(number: Decimal) -> None:
    """Another format of the same number has another hash."""
    assert str(Quantity(number)) == float_to_wire(float(number))
