"""The venue of the tape, which mixes fuzzed frames into it when it is told to."""

import asyncio
import json
import random
import sys
from collections import Counter
from typing import Any

from aiohttp import web

from tests.feeds.fuzz.frames import Fuzz
from tests.feeds.tape.market import Frame
from tests.feeds.tape.sockets import Socket
from tests.feeds.tape.venue import Job, Venue, now_ms, serve


class FuzzingVenue(Venue):
    """Sends so many frames at a time, as fast as they are read."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        self.counted = 0
        self.kinds: Counter[str] = Counter()
        self._fuzz = Fuzz(random.Random(job.seed + 3), self._new_trade)

    def routes(self) -> list[web.RouteDef]:
        return [
            *super().routes(),
            web.post("/control/send", self.send),
            web.post("/control/oversized", self.oversized),
        ]

    async def send(self, request: web.Request) -> web.Response:
        """Send frames, a third of them unharmed; answers how much the sidecar must have counted then."""
        wanted = (await request.json())["frames"]
        (socket,) = (socket for socket in self.sockets if socket.coins)
        for number in range(wanted):
            if self._rng.random() < 1 / 3:
                for frame in self.market.frames(now_ms()):
                    self._send_unharmed(frame)
            else:
                fuzzed = self._fuzz.frame()
                self.kinds[fuzzed.kind] += 1
                self.counted += fuzzed.counted
                socket.send(fuzzed.payload, is_text=fuzzed.is_text)
            if number % 20 == 0:
                await asyncio.sleep(0)
            while socket.waiting > 2**22:
                await asyncio.sleep(0.01)
        return web.json_response({"counted": self.counted, "kinds": self.kinds})

    async def oversized(self, _: web.Request) -> web.Response:
        """Send a frame that is too large; everything before it must have been read, because it ends the connection."""
        for socket in self.sockets:
            socket.send(self._fuzz.oversized())
        self.kinds["oversized"] += 1
        return web.json_response({})

    def _replay(self, socket: Socket, frame: Frame) -> None:
        self.counted += len(json.loads(frame.payload)["data"])
        super()._replay(socket, frame)

    def _send_unharmed(self, frame: Frame) -> None:
        self.kinds["unharmed"] += 1
        self.counted += len(json.loads(frame.payload)["data"])
        self._deliver(frame)

    def _new_trade(self) -> dict[str, Any]:
        return self.market.unsent_record(now_ms())


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], FuzzingVenue))
