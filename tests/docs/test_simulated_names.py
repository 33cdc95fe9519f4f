"""docs/simulated-venues.md lists by name what the simulated venues serve and what they do not, as the code does."""

import asyncio
import base64
from typing import Any, get_args

import aiohttp
import requests
from solders.keypair import Keypair
from solders.message import to_bytes_versioned
from solders.pubkey import Pubkey

from strandline_sim.hyperliquid.topics import COIN_TOPICS, USER_TOPICS
from strandline_sim.hyperliquid.wire_actions import Action
from strandline_sim.solana.rpc_server import METHODS
from strandline_sim.solana.token_accounts import TOKEN_PROGRAM, associated_address
from tests.docs.simulated_names import listed
from tests.strandline_sim.hyperliquid.sample_venue import ALICE, START, make_venue, served
from tests.strandline_sim.solana.simulation import SOL, USDC, Simulation, run

ADDRESS = str(ALICE.address).lower()
USER_SIGNED = {"nonce": 1, "signatureChainId": "0x66eee", "hyperliquidChain": "Testnet"}
CLOID = "0x" + "1" * 32
LIMIT = {"a": 0, "b": True, "p": "60000", "s": "0.001", "r": False, "t": {"limit": {"tif": "Gtc"}}}
ACTIONS: dict[str, dict[str, Any]] = {
    "order": {"orders": [LIMIT], "grouping": "na"},
    "cancel": {"cancels": [{"a": 0, "o": 1}]},
    "cancelByCloid": {"cancels": [{"asset": 0, "cloid": CLOID}]},
    "modify": {"oid": 1, "order": LIMIT},
    "batchModify": {"modifies": [{"oid": 1, "order": LIMIT}]},
    "updateLeverage": {"asset": 0, "isCross": True, "leverage": 2},
    "updateIsolatedMargin": {"asset": 0, "isBuy": True, "ntli": 1_000_000},
    "scheduleCancel": {},
    "noop": {},
    "approveAgent": {"agentAddress": ADDRESS, "agentName": "", **USER_SIGNED},
    "approveBuilderFee": {"builder": ADDRESS, "maxFeeRate": "0.1%", **USER_SIGNED},
}


def test_types_of_info() -> None:
    simulated, other = listed("Hyperliquid: types of /info")
    venue, _ = make_venue()
    assert set(simulated) == set(venue.rest._info._answers)
    candles = {"coin": "BTC", "interval": "1h", "startTime": START, "endTime": START}
    query: dict[str, Any] = {
        "user": ADDRESS,
        "coin": "BTC",
        "oid": 1,
        "startTime": START,
        "builder": ADDRESS,
        "req": candles,
    }
    with served(venue) as url:
        for names, status in ((simulated, 200), (other, 422)):
            answers = {name: requests.post(f"{url}/info", json={"type": name, **query}, timeout=10) for name in names}
            assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(names, status)


def test_actions_of_exchange() -> None:
    simulated, other = listed("Hyperliquid: actions of /exchange")
    assert set(simulated) == {one.__struct_config__.tag for one in get_args(Action)}
    signature = {"r": "0x1", "s": "0x1", "v": 27}
    venue, _ = make_venue()
    with served(venue) as url:
        for names, status in ((simulated, 200), (other, 422)):
            for name in names:
                action = {"type": name, **ACTIONS.get(name, {})}
                body: dict[str, Any] = {"action": action, "nonce": 1, "signature": signature}
                answer = requests.post(f"{url}/exchange", json=body, timeout=10)
                assert answer.status_code == status, (name, answer.text)


def test_topics_of_the_websocket() -> None:
    simulated, other = listed("Hyperliquid: topics of the WebSocket")
    assert set(simulated) == COIN_TOPICS | USER_TOPICS | {"allMids"}

    async def first_answer(url: str, name: str) -> Any:
        """Subscribe on a connection of its own; return the first frame."""
        subscription = {"type": name, "coin": "BTC", "user": ADDRESS, "interval": "1m"}
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{url}/ws") as socket:
            await socket.send_json({"method": "subscribe", "subscription": subscription})
            return await socket.receive_json(timeout=10)

    venue, _ = make_venue()
    with served(venue) as url:
        for name in simulated:
            answer = asyncio.run(first_answer(url, name))
            assert answer["channel"] == "subscriptionResponse", answer
            assert answer["data"]["subscription"]["type"] == name
        for name in other:
            answer = asyncio.run(first_answer(url, name))
            assert answer["channel"] == "error"
            assert answer["data"].startswith("Invalid subscription")


def test_methods_of_json_rpc() -> None:
    simulated, other = listed("Solana: methods of JSON-RPC")
    assert set(simulated) == {*METHODS, "requestAirdrop"}

    async def scenario(sim: Simulation) -> None:
        key = sim.wallet(USDC=1)
        owner, transaction = str(key.pubkey()), await sim.pay(key, Keypair.from_seed(b"f" * 32).pubkey(), 10**9)
        raw = (bytes(transaction), to_bytes_versioned(transaction.message))
        encoded = [base64.b64encode(one).decode() for one in raw]
        sent = {"encoding": "base64", "preflightCommitment": "processed"}
        account = associated_address(key.pubkey(), Pubkey.from_string(USDC), TOKEN_PROGRAM)
        params: dict[str, list[Any]] = {
            "getAccountInfo": [owner],
            "getBalance": [owner],
            "getBlockTime": [320_000_000],
            "getFeeForMessage": [encoded[1], {"commitment": "processed"}],
            "getMinimumBalanceForRentExemption": [165],
            "getMultipleAccounts": [[owner, SOL], {"encoding": "base64"}],
            "getSignaturesForAddress": [owner],
            "getSignatureStatuses": [[str(transaction.signatures[0])]],
            "getTokenAccountBalance": [str(account)],
            "getTokenAccountsByOwner": [owner, {"mint": USDC}, {"encoding": "base64"}],
            "getTokenSupply": [USDC],
            "getTransaction": [str(transaction.signatures[0])],
            "isBlockhashValid": [str(transaction.message.recent_blockhash)],
            "requestAirdrop": [owner, 10**9],
            "sendTransaction": [encoded[0], sent],
            "simulateTransaction": [encoded[0], sent],
        }
        for name in simulated:
            assert "result" in await sim.call(name, *params.get(name, [])), name
        for name in other:
            assert (await sim.call(name))["error"] == {"code": -32601, "message": "Method not found"}, name

    run(scenario)


def test_paths_of_jupiter() -> None:
    simulated, other = listed("Jupiter: paths")

    async def scenario(sim: Simulation) -> None:
        routes = sim.venue.jupiter_app().router.routes()
        found = {f"{one.method} {one.resource.canonical}" for one in routes if one.resource}
        assert set(simulated) == {name for name in found if not name.startswith(("HEAD ", "* "))}
        quote = await sim.quote(USDC, SOL, 1_000_000)
        query = {
            "/swap/v2/quote": {"inputMint": USDC, "outputMint": SOL, "amount": "1000000"},
            "/price/v3": {"ids": SOL},
            "/tokens/v2/search": {"query": "SOL"},
        }
        for name in [*simulated, *other]:
            method, path = name.split()
            body = None if method == "GET" else {"quoteResponse": quote, "taker": USDC}
            url = sim.jupiter_url + path.replace("{", "").replace("}", "")
            async with sim.http.request(method, url, params=query.get(path), json=body) as answer:
                assert answer.status == (200 if name in simulated else 404), (name, await answer.text())
                if name in other:
                    named = name.replace("{", "").replace("}", "")
                    assert await answer.json() == {"error": f"{named} is not simulated", "errorCode": "NOT_FOUND"}

    run(scenario)
