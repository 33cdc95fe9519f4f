"""Who may act: signatures, nonces, expiry, agents. The SDK's own signing functions are the other side."""

import json
from decimal import Decimal
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount
from hyperliquid.utils.signing import sign_agent, sign_l1_action  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from strandline_sim.hyperliquid import signing
from strandline_sim.hyperliquid.actions import MalformedError
from strandline_sim.hyperliquid.nonces import Nonces
from strandline_sim.hyperliquid.request_auth import RequestAuth
from tests.strandline_sim.hyperliquid.things import ALICE, BOB, START, STRANGER, exchange

DAY = 86_400_000
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(st.characters(codec="utf-8"), max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcxyz", max_size=5), inner, max_size=4),
    max_leaves=12,
)


class Door:
    """A gate, and somebody who knocks."""

    def __init__(self) -> None:
        self.exchange, self.tape = exchange()
        for wallet in (ALICE, BOB):
            self.exchange.deposit(wallet.address.lower(), Decimal(10_000))
        self.gate = RequestAuth(self.exchange, nonce_window=True, limit_requests=True)
        price = str(int(self.exchange.mark("ETH") * Decimal("0.9")))
        order = {"a": 1, "b": True, "p": price, "s": "0.1", "r": False, "t": {"limit": {"tif": "Gtc"}}}
        self.order: dict[str, Any] = {"type": "order", "orders": [order], "grouping": "na"}

    def body(
        self, action: Any, nonce: int = START, wallet: LocalAccount = ALICE, expires: int | None = None,
        is_mainnet: bool = False,
    ) -> dict[str, Any]:  # fmt: skip
        signature = sign_l1_action(wallet, action, None, nonce, expires, is_mainnet)
        return {
            "action": action, "nonce": nonce, "signature": signature, "vaultAddress": None, "expiresAfter": expires
        }  # fmt: skip

    def knock(self, body: Any, **more: Any) -> Any:
        return self.gate.handle(json.dumps(body).encode(), **more)

    def noop(self, nonce: int, **more: Any) -> Any:
        return self.knock(self.body({"type": "noop"}, nonce, **more))


@pytest.fixture
def door() -> Door:
    return Door()


def err(text: str) -> dict[str, str]:
    return {"status": "err", "response": text}


@given(plain, st.integers(0, 2**63), st.none() | st.integers(0, 2**63), st.booleans())
def test_the_signer_is_recovered(value: Any, nonce: int, expires: int | None, is_vault: bool) -> None:
    action, vault = {"type": "any", "value": value}, STRANGER.address.lower() if is_vault else None
    signature = sign_l1_action(ALICE, action, vault, nonce, expires, False)
    read = json.loads(json.dumps(action))
    assert signing.l1_signer(read, signature, nonce, vault, expires) == ALICE.address.lower()
    assert signing.l1_signer(read, signature, nonce + 1, vault, expires) != ALICE.address.lower()


def test_a_tampered_body_is_somebody_elses(door: Door) -> None:
    for path in ("s", "p", "b"):
        body = door.body(door.order)
        body["action"] = json.loads(json.dumps(body["action"]))
        body["action"]["orders"][0][path] = {"s": "0.2", "p": "2500", "b": False}[path]
        answer = door.knock(body)["response"]
        assert answer.startswith("User or API Wallet 0x")
        assert answer.endswith(" does not exist.")
        assert ALICE.address.lower() not in answer
    assert list(door.tape.entries(kind="order_accepted")) == []
    assert len(list(door.tape.entries(kind="action_refused"))) == 3


@pytest.mark.parametrize("field", ["nonce", "expiresAfter"])
def test_what_is_signed_cannot_be_changed(door: Door, field: str) -> None:
    body = door.body(door.order, expires=START + 1000)
    body[field] += 1
    assert door.knock(body)["response"].endswith(" does not exist.")


def test_the_order_of_keys_is_signed(door: Door) -> None:
    body = door.body(door.order)
    body["action"] = dict(reversed(door.order.items()))
    assert door.knock(body)["response"].endswith(" does not exist.")


def test_the_main_networks_signature_is_another(door: Door) -> None:
    assert door.knock(door.body(door.order, is_mainnet=True))["response"].endswith(" does not exist.")


def test_a_strangers_signature(door: Door) -> None:
    answer = door.noop(START, wallet=STRANGER)
    assert answer == err(f"User or API Wallet {STRANGER.address.lower()} does not exist.")


def test_no_signature_at_all(door: Door) -> None:
    body = door.body(door.order)
    body["signature"] = {"r": "0x0", "s": "0x0", "v": 27}
    assert door.knock(body) == err("Unable to recover signer.")


def test_the_same_bytes_twice(door: Door) -> None:
    body = door.body(door.order)
    assert door.knock(body)["status"] == "ok"
    assert door.knock(body) == err(f"Invalid nonce: duplicate nonce {START}")
    assert len(list(door.tape.entries(kind="order_accepted"))) == 1


def test_a_refused_order_has_used_its_nonce(door: Door) -> None:
    order = {**door.order, "orders": [{**door.order["orders"][0], "s": "0.0001"}]}
    assert "error" in door.knock(door.body(order))["response"]["data"]["statuses"][0]
    assert door.noop(START) == err(f"Invalid nonce: duplicate nonce {START}")


def test_a_noop_kills_an_order_in_flight(door: Door) -> None:
    body = door.body(door.order)
    assert door.noop(START)["status"] == "ok"
    assert door.knock(body) == err(f"Invalid nonce: duplicate nonce {START}")
    assert list(door.tape.entries(kind="order_accepted")) == []


def test_nonces_far_from_now(door: Door) -> None:
    for nonce in (START - 2 * DAY, START + DAY, 5):
        assert door.noop(nonce)["response"].startswith("Invalid nonce: nonce too ")
    for nonce in (START - 2 * DAY + 1, START + DAY - 1):
        assert door.noop(nonce)["status"] == "ok"


def test_a_hundred_nonces_are_kept() -> None:
    nonces = Nonces()
    assert all(nonces.use(nonce, None) is None for nonce in range(1000, 1100))
    assert nonces.use(1050, None) == "Invalid nonce: duplicate nonce 1050"
    assert nonces.use(999, None) == "Invalid nonce: nonce too low 999 < 1000"
    assert nonces.use(2000, None) is None
    assert nonces.use(1000, None) == "Invalid nonce: nonce too low 1000 < 1001"


@given(st.lists(st.integers(1, 400), max_size=300))
def test_no_nonce_is_used_twice(tries: list[int]) -> None:
    nonces = Nonces()
    used = [nonce for nonce in tries if nonces.use(nonce, None) is None]
    assert len(used) == len(set(used))
    assert set(sorted(set(tries))[-100:]) <= set(used) or len(set(tries)) > 100


def test_nonces_belong_to_the_signer(door: Door) -> None:
    assert door.noop(START)["status"] == "ok"
    assert door.noop(START, wallet=BOB)["status"] == "ok"


def test_an_expired_action_is_refused_and_its_nonce_is_free(door: Door) -> None:
    assert door.knock(door.body(door.order, expires=START - 1)) == err("Action already expired")
    assert door.knock(door.body(door.order, expires=START + 1), skew_ms=5000) == err("Action already expired")
    assert door.knock(door.body(door.order, expires=START + 1))["status"] == "ok"


def test_a_vault_that_nobody_has(door: Door) -> None:
    body = door.body({"type": "noop"})
    body["vaultAddress"] = BOB.address
    body["signature"] = sign_l1_action(ALICE, body["action"], BOB.address, START, None, False)
    assert door.knock(body) == err(f"Vault not registered: {BOB.address.lower()}")


def approval(wallet: LocalAccount, agent: str, nonce: int, name: str = "") -> dict[str, Any]:
    action: dict[str, Any] = {"type": "approveAgent", "agentAddress": agent, "agentName": name, "nonce": nonce}
    signature = sign_agent(wallet, action, False)
    return {"action": action, "nonce": nonce, "signature": signature}


def test_agents(door: Door) -> None:
    assert door.knock(approval(STRANGER, BOB.address, START)) == err(
        f"Must deposit before performing actions. User: {STRANGER.address.lower()}"
    )
    assert door.knock(approval(ALICE, BOB.address, START)) == err("Extra agent already used.")
    assert door.knock(approval(ALICE, STRANGER.address, START + 1, f"x valid_until {START - 1}"))["status"] == "err"
    assert door.knock(approval(ALICE, STRANGER.address, START + 2, f"x valid_until {START + 9}"))["status"] == "ok"
    assert door.noop(START, wallet=STRANGER)["status"] == "ok"
    door.exchange.advance(START + 9)
    assert door.noop(START + 1, wallet=STRANGER)["response"].endswith("does not exist.")


def test_an_agent_is_replaced_by_the_next_of_its_name(door: Door) -> None:
    agents = ["0x" + f"{number:040x}" for number in range(1, 6)]
    for number, name in enumerate(("a", "b", "c")):
        assert door.knock(approval(ALICE, agents[number], START + number, name))["status"] == "ok"
    fourth = door.knock(approval(ALICE, agents[3], START + 3, "d"))
    assert fourth == err("Too many extra agents for cumulative volume traded. Current limit is 3")
    assert door.knock(approval(ALICE, agents[4], START + 4, "a"))["status"] == "ok"
    assert door.gate.agents.owner_of(agents[0], START) is None
    assert door.gate.agents.owner_of(agents[4], START) == ALICE.address.lower()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"action":{"type":"order","orders":[]},"nonce":1,"signature":{}}',
        b'{"action":{"type":"dance"},"nonce":1,"signature":{}}',
        b'{"action":{"type":"noop"},"nonce":-1,"signature":{}}',
        b'{"action":{"type":"cancel","cancels":[{"a":"x","o":1}]},"nonce":1,"signature":{}}',
    ],
)
def test_malformed(door: Door, body: bytes) -> None:
    with pytest.raises(MalformedError):
        door.gate.handle(body)


@given(st.binary(max_size=60) | plain.map(lambda value: json.dumps({"action": value, "nonce": 1}).encode()))
def test_rubbish_is_malformed_and_nothing_else(body: bytes) -> None:
    door = Door()
    with pytest.raises(MalformedError):
        door.gate.handle(body)


def test_requests_are_earned_by_trading(door: Door) -> None:
    quota = door.gate.quota
    account = door.exchange.account(ALICE.address.lower())
    assert account is not None
    assert quota.use(account, 10_000, START, cancels=False) is None
    assert quota.use(account, 1, START, cancels=False) is None  # one in ten seconds
    text = quota.use(account, 1, START + 9999, cancels=False)
    assert text is not None
    assert text.startswith("Too many cumulative requests sent (10002 > 10000) for cumulative volume traded $0.0.")
    assert quota.use(account, 1, START + 9999, cancels=True) is None
    assert quota.use(account, 1, START + 10_000, cancels=False) is None
