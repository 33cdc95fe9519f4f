"""Sends damaged requests and messages to a simulator in a process of its own, and watches its event loop.

A short run is a test (test_fuzz.py); a long one is started by hand:

    python -m tests.strandline_sim.fuzz --requests 100000 --seed 3
"""

import argparse
import asyncio
import json
import os
import re
import sys
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

import aiohttp
from rich.progress import track

from strandline_sim.solana.rpc_server import METHODS
from tests.strandline_sim.hyperliquid.test_malformed import INFO, MESSAGES, SIGNED, VALID

MINT: Final = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
SIGNATURE: Final = "5" * 87
PARAMS: Final[list[list[Any]]] = [
    [],
    [MINT],
    [MINT, {"encoding": "jsonParsed", "commitment": "confirmed"}],
    [[MINT, MINT], {"encoding": "base64", "dataSlice": {"offset": 0, "length": 8}}],
    [SIGNATURE, {"encoding": "json", "maxSupportedTransactionVersion": 0}],
    [[SIGNATURE], {"searchTransactionHistory": True}],
    ["AAAA", {"encoding": "base64", "skipPreflight": True, "maxRetries": 1}],
    [MINT, {"mint": MINT}, {"encoding": "jsonParsed"}],
    [7, {"transactionDetails": "full", "rewards": False}],
]
QUERY: Final = {
    "inputMint": MINT,
    "outputMint": "So1",
    "amount": "1000",
    "slippageBps": "50",
    "ids": MINT,
    "query": "J",
}
SWAP: Final = {"quoteResponse": {"inputMint": MINT, "inAmount": "1", "routePlan": [{}]}, "taker": MINT, "payer": MINT}
SCALARS: Final[list[Any]] = [
    *(None, True, False, 0, -1, 2**53, 2**64, -(2**70), 0.5, 1e300, "", "0", "NaN", "1e999", "0x", "ü\0", "1" * 5000),
    *(MINT, SIGNATURE, "BTC", "1m", [], {}, [[]], {"": {}}),
]
URL: Final = re.compile(r"^(\w+) +(http\S+)$")
HELD: Final = re.compile(r"took ([\d.]+) seconds")


class Report(NamedTuple):
    """What happened: the answers by kind, those that are none, and what the simulator logged."""

    answers: Counter[str]
    wrong: list[str]
    logged: str

    @property
    def holds(self) -> list[float]:
        """The times, in seconds, for which one step held the event loop: those above 0.1."""
        return [float(took) for took in HELD.findall(self.logged)]


async def fuzz(requests: int, seed: int) -> Report:
    """Send this number of requests and messages to a new simulator."""
    command = [sys.executable, "-m", "strandline_sim", "--unlimited", "--seed", str(seed)]
    ports = [f"--{venue}-port=0" for venue in ("hyperliquid", "solana", "jupiter", "control")]
    # asyncio's debug mode logs each step that holds the loop for more than 0.1 s.
    environment = {**os.environ, "PYTHONASYNCIODEBUG": "1", "PYTHONPATH": str(Path(__file__).parents[2] / "include")}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, *ports, stdout=pipe, stderr=pipe, env=environment)
    assert process.stdout is not None
    assert process.stderr is not None
    logged = asyncio.create_task(process.stderr.read())
    urls: dict[str, str] = {}
    try:
        while len(urls) < 3:
            line = await process.stdout.readline()
            assert line, await logged
            if found := URL.match(line.decode()):
                urls[found[1]] = found[2]
        async with aiohttp.ClientSession() as http, http.ws_connect(urls["hyperliquid"] + "/ws", max_msg_size=0) as ws:
            client = _Client(http, ws, urls, Random(seed))
            for _ in track(range(requests), "Requests and messages", disable=not sys.stderr.isatty()):
                await client.send_any()
    finally:
        process.terminate()
        await process.wait()
    return Report(client.answers, client.wrong, (await logged).decode())


class _Client:
    """Sends to every door of the simulator by turns."""

    def __init__(
        self, http: aiohttp.ClientSession, ws: aiohttp.ClientWebSocketResponse, urls: dict[str, str], random: Random
    ) -> None:
        self.answers: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._http = http
        self._ws = ws
        self._urls = urls
        self._random = random

    async def send_any(self) -> None:
        """Send one request or message, damaged or not."""
        door = self._random.choice((self._info, self._exchange, self._message, self._rpc, self._swap, self._query))
        await door()

    async def _info(self) -> None:
        valid = [one for one in VALID if "method" not in one and "action" not in one]
        await self._post("hyperliquid", "/info", self._damaged(self._random.choice([*valid, *INFO])), {200, 422})

    async def _exchange(self) -> None:
        valid = [one for one in VALID if "action" in one]
        await self._post("hyperliquid", "/exchange", self._damaged(self._random.choice([*valid, *SIGNED])), {200, 422})

    async def _rpc(self) -> None:
        params = self._damaged(self._random.choice(PARAMS))
        call = {"jsonrpc": "2.0", "id": 1, "method": self._random.choice(list(METHODS)), "params": params}
        await self._post("solana", "", self._damaged(call) if self._random.random() < 0.2 else call, {200})

    async def _swap(self) -> None:
        path = self._random.choice(("/swap/v2/swap", "/swap/v2/swap-instructions"))
        await self._post("jupiter", path, self._damaged(SWAP), {200, 400, 422})

    async def _query(self) -> None:
        path = self._random.choice(("/swap/v2/quote", "/price/v3", "/tokens/v2/search"))
        query = self._damaged(QUERY)
        fields = {name: str(value) for name, value in query.items()} if isinstance(query, dict) else {}
        async with self._http.get(self._urls["jupiter"] + path, params=fields) as answer:
            await self._note(path, answer, {200, 400, 414}, query)

    async def _message(self) -> None:
        """Send a message and a ping; frames may come between, but then the pong must."""
        valid = [one for one in VALID if "method" in one]
        message = self._damaged(self._random.choice([*valid, *MESSAGES]))
        await self._ws.send_str(json.dumps(message))
        await self._ws.send_str('{"method":"ping"}')
        while True:
            frame = await self._ws.receive(60)
            if frame.type is not aiohttp.WSMsgType.TEXT:
                raise AssertionError(f"the socket was cut by {message!r}")
            if frame.data == '{"channel":"pong"}':
                self.answers["pong"] += 1
                return

    async def _post(self, venue: str, path: str, body: Any, statuses: set[int]) -> None:
        async with self._http.post(self._urls[venue] + path, json=body) as answer:
            await self._note(f"{venue}{path}", answer, statuses, body)

    async def _note(self, door: str, answer: aiohttp.ClientResponse, statuses: set[int], sent: Any) -> None:
        text = await answer.text()
        self.answers[f"{door} {answer.status}"] += 1
        if answer.status not in statuses:
            self.wrong.append(f"{door} {answer.status} {text[:200]!r} for {sent!r}"[:1000])

    def _damaged(self, valid: Any) -> Any:
        """Replace something somewhere by anything, or leave it as it is."""
        draw = self._random.random()
        if draw < 0.05:
            return valid
        if isinstance(valid, dict) and valid and draw < 0.8:
            key = self._random.choice(list(valid))
            return {**valid, key: self._damaged(valid[key])}
        if isinstance(valid, list) and valid and draw < 0.8:
            at = self._random.randrange(len(valid))
            return [*valid[:at], self._damaged(valid[at]), *valid[at + 1 :]]
        return self._anything()

    def _anything(self) -> Any:
        draw = self._random.random()
        if draw < 0.85:
            return self._random.choice(SCALARS)
        if draw < 0.9:
            return [self._anything() for _ in range(self._random.randrange(4))]
        if draw < 0.95:
            return {str(self._anything())[:9]: self._anything() for _ in range(self._random.randrange(4))}
        nested: Any = 0
        for _ in range(self._random.choice((30, 900))):
            nested = [nested]
        return nested


def main() -> None:
    """Print what happened; exit 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    report = asyncio.run(fuzz(arguments.requests, arguments.seed))
    for answer, number in sorted(report.answers.items()):
        print(f"{number:8,} {answer}")
    print(*report.wrong, report.logged, sep="\n")
    print(f"{len(report.wrong)} wrong; the loop was held for more than 0.1 s {len(report.holds)} times: {report.holds}")
    sys.exit(bool(report.wrong or "Traceback" in report.logged))


if __name__ == "__main__":
    main()
