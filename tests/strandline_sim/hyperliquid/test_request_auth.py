"""Signatures, nonces, expiry and agents, with requests signed by the SDK."""

import json
from decimal import Decimal
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount
from hyperliquid.utils.signing import sign_agent, sign_l1_action  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from strandline_sim.hyperliquid import signing
from strandline_sim.hyperliquid.actions import MalformedError, decode_action
from strandline_sim.hyperliquid.nonces import Nonces
from strandline_sim.hyperliquid.request_auth import RequestAuth
from strandline_sim.hyperliquid.wire_actions import canonical
from tests.strandline_sim.hyperliquid.sample_venue import ALICE, BOB, START, STRANGER, make_exchange

DAY = 86_400_000
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(st.characters(codec="utf-8"), max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcxyz", max_size=5), inner, max_size=4),
    max_leaves=12,
)


class Client:
    """Signs requests and sends them to an exchange."""

    def __init__(self) -> None:
        self.exchange, self.tape = make_exchange()
        for wallet in (ALICE, BOB):
            self.exchange.deposit(wallet.address.lower(), Decimal(10_000))
        self.auth = RequestAuth(self.exchange, nonce_window=True, limit_requests=True)
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

    def send(self, body: Any, **more: Any) -> Any:
        return self.auth.handle(json.dumps(body).encode(), **more)

    def noop(self, nonce: int, **more: Any) -> Any:
        return self.send(self.body({"type": "noop"}, nonce, **more))


@pytest.fixture
def client() -> Client:
    return Client()


def err(text: str) -> dict[str, str]:
    return {"status": "err", "response": text}


@given(json_values, st.integers(0, 2**63), st.none() | st.integers(0, 2**63), st.booleans())
def test_the_signer_is_recovered(value: Any, nonce: int, expires: int | None, is_vault: bool) -> None:
    action, vault = {"type": "any", "value": value}, STRANGER.address.lower() if is_vault else None
    signature = sign_l1_action(ALICE, action, vault, nonce, expires, False)
    read = json.loads(json.dumps(action))
    assert signing.l1_signer(read, signature, nonce, vault, expires) == ALICE.address.lower()
    assert signing.l1_signer(read, signature, nonce + 1, vault, expires) != ALICE.address.lower()


def test_a_changed_body_recovers_another_signer(client: Client) -> None:
    for path in ("s", "p", "b"):
        body = client.body(client.order)
        body["action"] = json.loads(json.dumps(body["action"]))
        body["action"]["orders"][0][path] = {"s": "0.2", "p": "2500", "b": False}[path]
        answer = client.send(body)["response"]
        assert answer.startswith("User or API Wallet 0x")
        assert answer.endswith(" does not exist.")
        assert ALICE.address.lower() not in answer
    assert list(client.tape.entries(kind="order_accepted")) == []
    assert len(list(client.tape.entries(kind="action_refused"))) == 3


@pytest.mark.parametrize("field", ["nonce", "expiresAfter"])
def test_nonce_and_expiry_are_signed(client: Client, field: str) -> None:
    body = client.body(client.order, expires=START + 1000)
    body[field] += 1
    assert client.send(body)["response"].endswith(" does not exist.")


CLOID = "0x" + "ab" * 16
LIMIT = {"a": 1, "b": True, "p": "0.001", "s": "10", "r": False, "t": {"limit": {"tif": "Alo"}}}
TRIGGER = {"isMarket": True, "triggerPx": "100", "tpsl": "sl"}
STOP = {"a": 1, "b": True, "p": "1.5", "s": "0", "r": True, "t": {"trigger": TRIGGER}, "c": CLOID}


def other_spellings(action: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The same action as clients also write it; the venue hashes what it writes itself."""
    (order,) = action["orders"]
    return {
        "the order of the action's keys": dict(reversed(action.items())),
        "the order of an order's keys": {**action, "orders": [dict(reversed(order.items()))]},
        "an unknown key": {**action, "comment": ""},
        "an unknown key of an order": {**action, "orders": [{**order, "comment": ""}]},
        "null": {**action, "builder": None},
        "zeros after a size": {**action, "orders": [{**order, "s": order["s"] + "0"}]},
        "zeros after a price": {**action, "orders": [{**order, "p": order["p"] + ".0"}]},
        "upper case": {**action, "orders": [{**order, "c": CLOID.upper().replace("X", "x")}]},
    }


@pytest.mark.parametrize("spelling", list(other_spellings({"orders": [{"s": "", "p": ""}]})))
def test_the_venues_spelling_is_what_is_signed(client: Client, spelling: str) -> None:
    action = {**client.order, "orders": [{**client.order["orders"][0], "c": CLOID}]}
    other = other_spellings(action)[spelling]
    assert client.send(client.body(other))["response"].endswith(" does not exist.")
    # Sent like this, but signed as the venue writes it.
    assert client.send({**client.body(action), "action": other})["status"] == "ok"
    assert [entry.data["cloid"] for entry in client.tape.entries(kind="order_accepted")] == [CLOID]


@pytest.mark.parametrize(
    "action",
    [
        {"type": "cancel", "cancels": [{"a": 1, "o": 5}]},
        {"type": "cancelByCloid", "cancels": [{"asset": 1, "cloid": CLOID}]},
        {"type": "modify", "oid": CLOID, "order": LIMIT},
        {"type": "batchModify", "modifies": [{"oid": 5, "order": STOP}], "a": True},
        {"type": "order", "orders": [LIMIT, STOP], "grouping": {"p": 5}, "builder": {"b": "0x" + "ab" * 20, "f": 10}},
        {"type": "updateLeverage", "asset": 1, "isCross": True, "leverage": 5},
        {"type": "updateIsolatedMargin", "asset": 1, "isBuy": True, "ntli": -5},
        {"type": "scheduleCancel"},
        {"type": "scheduleCancel", "time": 5},
        {"type": "noop"},
    ],
    ids=lambda action: action["type"],
)
def test_every_action_is_written_as_clients_sign_it(action: dict[str, Any]) -> None:
    assert json.dumps(canonical(decode_action(action))) == json.dumps(action)


def test_a_signature_for_mainnet_is_refused(client: Client) -> None:
    assert client.send(client.body(client.order, is_mainnet=True))["response"].endswith(" does not exist.")


def test_an_unknown_signer_is_refused(client: Client) -> None:
    answer = client.noop(START, wallet=STRANGER)
    assert answer == err(f"User or API Wallet {STRANGER.address.lower()} does not exist.")


def test_an_unrecoverable_signature_is_refused(client: Client) -> None:
    body = client.body(client.order)
    body["signature"] = {"r": "0x0", "s": "0x0", "v": 27}
    assert client.send(body) == err("Unable to recover signer.")


def test_the_same_request_is_accepted_once(client: Client) -> None:
    body = client.body(client.order)
    assert client.send(body)["status"] == "ok"
    assert client.send(body) == err(f"Invalid nonce: duplicate nonce {START}")
    assert len(list(client.tape.entries(kind="order_accepted"))) == 1


def test_a_refused_order_has_used_its_nonce(client: Client) -> None:
    order = {**client.order, "orders": [{**client.order["orders"][0], "s": "0.0001"}]}
    assert "error" in client.send(client.body(order))["response"]["data"]["statuses"][0]
    assert client.noop(START) == err(f"Invalid nonce: duplicate nonce {START}")


def test_a_noop_invalidates_an_order_with_its_nonce(client: Client) -> None:
    body = client.body(client.order)
    assert client.noop(START)["status"] == "ok"
    assert client.send(body) == err(f"Invalid nonce: duplicate nonce {START}")
    assert list(client.tape.entries(kind="order_accepted")) == []


def test_nonces_must_be_near_the_time(client: Client) -> None:
    for nonce in (START - 2 * DAY, START + DAY, 5):
        assert client.noop(nonce)["response"].startswith("Invalid nonce: nonce too ")
    for nonce in (START - 2 * DAY + 1, START + DAY - 1):
        assert client.noop(nonce)["status"] == "ok"


def test_the_hundred_highest_nonces_are_kept() -> None:
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


def test_nonces_are_per_signer(client: Client) -> None:
    assert client.noop(START)["status"] == "ok"
    assert client.noop(START, wallet=BOB)["status"] == "ok"


def test_an_expired_action_is_refused_and_its_nonce_is_unused(client: Client) -> None:
    assert client.send(client.body(client.order, expires=START - 1)) == err("Action already expired")
    assert client.send(client.body(client.order, expires=START + 1), skew_ms=5000) == err("Action already expired")
    assert client.send(client.body(client.order, expires=START + 1))["status"] == "ok"


def test_an_unknown_vault_is_refused(client: Client) -> None:
    body = client.body({"type": "noop"})
    body["vaultAddress"] = BOB.address
    body["signature"] = sign_l1_action(ALICE, body["action"], BOB.address, START, None, False)
    assert client.send(body) == err(f"Vault not registered: {BOB.address.lower()}")


def approval(wallet: LocalAccount, agent: str, nonce: int, name: str = "") -> dict[str, Any]:
    action: dict[str, Any] = {"type": "approveAgent", "agentAddress": agent, "agentName": name, "nonce": nonce}
    signature = sign_agent(wallet, action, False)
    return {"action": action, "nonce": nonce, "signature": signature}


def test_agents(client: Client) -> None:
    assert client.send(approval(STRANGER, BOB.address, START)) == err(
        f"Must deposit before performing actions. User: {STRANGER.address.lower()}"
    )
    assert client.send(approval(ALICE, BOB.address, START)) == err("Extra agent already used.")
    assert client.send(approval(ALICE, STRANGER.address, START + 1, f"x valid_until {START - 1}"))["status"] == "err"
    assert client.send(approval(ALICE, STRANGER.address, START + 2, f"x valid_until {START + 9}"))["status"] == "ok"
    assert client.noop(START, wallet=STRANGER)["status"] == "ok"
    client.exchange.advance(START + 9)
    assert client.noop(START + 1, wallet=STRANGER)["response"].endswith("does not exist.")


def test_an_agent_is_replaced_by_the_next_of_its_name(client: Client) -> None:
    agents = ["0x" + f"{number:040x}" for number in range(1, 6)]
    for number, name in enumerate(("a", "b", "c")):
        assert client.send(approval(ALICE, agents[number], START + number, name))["status"] == "ok"
    fourth = client.send(approval(ALICE, agents[3], START + 3, "d"))
    assert fourth == err("Too many extra agents for cumulative volume traded. Current limit is 3")
    assert client.send(approval(ALICE, agents[4], START + 4, "a"))["status"] == "ok"
    assert client.auth.agents.owner_of(agents[0], START) is None
    assert client.auth.agents.owner_of(agents[4], START) == ALICE.address.lower()


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
def test_malformed_bodies(client: Client, body: bytes) -> None:
    with pytest.raises(MalformedError):
        client.auth.handle(body)


@given(st.binary(max_size=60) | json_values.map(lambda value: json.dumps({"action": value, "nonce": 1}).encode()))
def test_any_invalid_body_is_malformed(body: bytes) -> None:
    client = Client()
    with pytest.raises(MalformedError):
        client.auth.handle(body)


def test_requests_are_earned_by_trading(client: Client) -> None:
    quota = client.auth.quota
    account = client.exchange.account(ALICE.address.lower())
    assert account is not None
    assert quota.use(account, 10_000, START, cancels=False) is None
    assert quota.use(account, 1, START, cancels=False) is None  # one in ten seconds
    text = quota.use(account, 1, START + 9999, cancels=False)
    assert text is not None
    assert text.startswith("Too many cumulative requests sent (10002 > 10000) for cumulative volume traded $0.0.")
    assert quota.use(account, 1, START + 9999, cancels=True) is None
    assert quota.use(account, 1, START + 10_000, cancels=False) is None
