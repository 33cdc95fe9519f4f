"""The proof: fuzzed frames are sent in portions; after each one everything is accounted for, exactly."""

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from strandline.bars import roll_up
from strandline.store.roles import Role
from tests.conftest import Database
from tests.feeds.tape.processes import Sidecar, VenueProcess, environment
from tests.feeds.tape.tables import read_tables, read_tape, scalar
from tests.feeds.tape.venue import Job

_COINS: Final = 5
_GROWTH_ALLOWED: Final = 16 * 2**20
_REMEMBERED: Final = 1_000_000
_BYTES_EACH: Final = 128
"""Of a trade that is remembered, so that it is known when it comes again."""
_SIDES: Final = {"B": "b", "A": "s"}


class FuzzError(Exception):
    """Something was not accounted for, or the sidecar has ended."""


class FuzzProof:
    """One run, with an empty, migrated database."""

    def __init__(self, frames: int, seed: int, database: Database, folder: Path, portions: int = 10) -> None:
        self._frames = frames
        self._portions = portions
        self._database = database
        self._folder = folder
        self._engine = database.admin
        self._job = Job(
            seed=seed, coins=_COINS, trades=0, rate=1, tape=str(folder / "tape.tsv"), broken_share=0, asides=0
        )
        self._began = time.monotonic()

    def run(self) -> dict[str, Any]:
        """Carry it out; returns the totals. Raises when something was not accounted for."""
        with VenueProcess("tests.feeds.fuzz.venue", self._job) as venue:
            settings = environment(self._database.url, venue.url, self._folder)
            with Sidecar(settings, self._folder / "sidecar.log") as sidecar:
                sidecar.start()
                memory = []
                sent: dict[str, Any] = {}
                for number in range(self._portions):
                    self._wait(lambda: venue.ask("status")["subscribed"] == _COINS, sidecar, "subscriptions")
                    sent = venue.ask("send", {"frames": self._frames // self._portions})
                    self._await_count(sidecar, sent["counted"], number)
                    # The first portion is read without it, as far as it does not come sooner; it takes memory once.
                    self._wait(lambda: "compiled code" in sidecar.log, sidecar, "the compiled parser")
                    memory.append(sidecar.memory)
                    venue.ask("oversized")
                    self._wait(partial(self._has_oversized, number + 1), sidecar, "the oversized frame")
                    self._say(f"portion {number + 1}: {sent['counted']:,} counted, {memory[-1] / 2**20:.0f} MiB")
                if sidecar.stop() != 0 or "Traceback" in sidecar.log:
                    raise FuzzError(sidecar.log[-4000:])
            venue.ask("status")
        counts = self._counts()
        growth = max(memory) - memory[self._portions // 4]
        if growth > _GROWTH_ALLOWED + min(counts["stored"], _REMEMBERED) * _BYTES_EACH:
            raise FuzzError(f"its memory has grown by {growth / 2**20:.0f} MiB: {memory}")
        summary = {
            "frames": self._frames,
            "sent": sent["counted"],
            **counts,
            "oversized": self._oversized(),
            "kinds": dict(sorted(sent["kinds"].items())),
            "unharmed_trades": self._check_unharmed(),
            "memory_mib": [round(size / 2**20, 1) for size in memory],
            "seconds": round(time.monotonic() - self._began, 1),
        }
        self._check_kept(counts)
        self._roll_up()
        return summary

    def _await_count(self, sidecar: Sidecar, sent: int, portion: int) -> None:
        """Wait until so much is counted, and no more follows."""
        last = -1
        since = time.monotonic()
        while (found := self._total()) != sent:
            if found != last:
                last, since = found, time.monotonic()
            if sidecar.ended is not None or time.monotonic() - since > 30:
                raise FuzzError(
                    f"portion {portion}: {sent} were sent, {found} counted: {self._counts()}; {sidecar.log[-3000:]}"
                )
            time.sleep(0.1)

    def _wait(self, holds: Callable[[], bool], sidecar: Sidecar, what: str) -> None:
        end = time.monotonic() + 60
        while not holds():
            if sidecar.ended is not None or time.monotonic() > end:
                raise FuzzError(f"{what} did not come: {self._heartbeat()}; {sidecar.log[-3000:]}")
            time.sleep(0.05)

    def _total(self) -> int:
        return sum(self._counts().values())

    def _counts(self) -> dict[str, int]:
        """What became of trades and messages. One that only the database refuses is in its own count."""
        details = self._heartbeat()
        refused = scalar(self._engine, "SELECT count(*) FROM quarantined_messages WHERE source = 'ticks'")
        names = ("stored", "duplicates", "quarantined", "dropped")
        return {**{name: details.get(name, 0) for name in names}, "refused_by_database": refused}

    def _heartbeat(self) -> dict[str, Any]:
        return dict(scalar(self._engine, "SELECT details FROM heartbeats") or {})

    def _has_oversized(self, count: int) -> bool:
        return self._oversized() == count

    def _oversized(self) -> int:
        return sum(feed.get("oversized", 0) for feed in self._heartbeat()["feeds"].values())

    def _check_kept(self, counts: dict[str, int]) -> None:
        """Each refused message is kept, or counted as one too many to keep; each stored tick is in the table."""
        kept = scalar(self._engine, "SELECT count(*) FROM quarantined_messages WHERE source <> 'ticks'")
        overflow = self._heartbeat()["quarantine_overflow"]
        if kept + overflow != counts["quarantined"]:
            raise FuzzError(f"{counts['quarantined']} messages were refused, {kept} kept and {overflow} not kept")
        ticks = scalar(self._engine, "SELECT count(*) FROM ticks")
        if ticks != counts["stored"]:
            raise FuzzError(f"{counts['stored']} ticks were stored, the table has {ticks}")

    def _check_unharmed(self) -> int:
        """Every trade that was sent unharmed is stored as it was sent."""
        tape = read_tape(Path(self._job.tape))
        count = 0
        for coin, stored in read_tables(self._engine):
            found = {(tick.time, tick.tid): tick[2:5] for tick in stored.ticks}
            for key, trade in tape.get(coin, {}).items():
                count += 1
                if found.get(key) != (float(trade.px), float(trade.sz), _SIDES[trade.side]):
                    raise FuzzError(f"{trade} is stored as {found.get(key)}")
        return count

    def _roll_up(self) -> None:
        """Whatever has been stored, the bars can be built."""
        engine = self._database.engine(Role.APP)
        try:
            roll_up(engine, datetime.now(UTC) + timedelta(days=2))
        finally:
            engine.dispose()

    def _say(self, what: str) -> None:
        print(f"{time.monotonic() - self._began:7.1f} s  {what}", file=sys.stderr, flush=True)
