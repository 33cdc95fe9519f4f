"""The proof: let the venue send its tape to the sidecar, roll up meanwhile, and compare the tables with the tape."""

import json
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from string import ascii_lowercase
from typing import Any, Final

from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from strandline.bars import roll_up
from strandline.store.connect import connect
from strandline.store.postgres.server import EmbeddedPostgres
from strandline.store.roles import Role
from tests.conftest import Database
from tests.feeds.servers import shut_down_at_once
from tests.feeds.tape.market import coin_names, stormy
from tests.feeds.tape.processes import Sidecar, VenueProcess, environment, run_command
from tests.feeds.tape.tables import read_tables, read_tape, scalar
from tests.feeds.tape.venue import Job
from tests.feeds.tape.verdict import Claim, Verdict, judge

_MINUTE: Final = timedelta(minutes=1)
_VENUE: Final = "tests.feeds.tape.venue"


@dataclass(frozen=True)
class Plan:
    """What is asked: how much, how fast, and what goes wrong meanwhile."""

    trades: int
    coins: int
    seed: int
    rate: float
    past_hours: int = 0
    interruptions: int = 0
    accidents: int = 0
    kills: int = 0
    restarts: int = 0
    dataset: str = "node_trades"
    wait_for_repair: bool = True
    history_loaded: bool = True
    """Whether the venue's candles of before need not be fetched: for hundreds of coins that takes many minutes."""
    replacements: int = 0
    """How often the sidecar is ended and another one started while the venue pauses: nothing may be lost."""
    over_a_minute: bool = False
    """Whether to begin so that a minute ends in the first twenty seconds."""
    replicas: int = 1
    """How many sidecars stream the same coins; what goes wrong happens to the first."""


class ProofError(Exception):
    """The proof could not be carried out, or not in time."""


class Proof:
    """One run, in a folder of its own and with an empty, migrated database."""

    def __init__(self, plan: Plan, database: Database, folder: Path, postgres: EmbeddedPostgres | None = None) -> None:
        self.plan = plan
        self._database = database
        self._folder = folder
        self._postgres = postgres
        self._engine = database.admin
        self._rng = random.Random(plan.seed + 2)
        self._began = time.monotonic()
        self._counts: Counter[str] = Counter()
        self._earlier: Counter[str] = Counter()
        self._tape = folder / "tape.tsv"

    def run(self) -> dict[str, Any]:
        """Carry it out; returns what was found."""
        job = Job(
            seed=self.plan.seed,
            coins=self.plan.coins,
            trades=self.plan.trades,
            rate=self.plan.rate,
            tape=str(self._tape),
            past_ms=self.plan.past_hours * 3_600_000,
            interruptions=[self._rng.random() for _ in range(self.plan.interruptions)],
            accidents=self.plan.accidents,
        )
        self._add_rows()
        with VenueProcess(_VENUE, job) as venue:
            settings = environment(self._database.url, venue.url, self._folder)
            with (
                Sidecar(settings, self._folder / "sidecar.log") as sidecar,
                self._replicas(settings) as replicas,
                self._rolling_up(),
            ):
                sidecar.start()
                self._wait("the subscriptions", lambda: self._streams(venue), 120)
                if self.plan.over_a_minute:
                    time.sleep((40 - time.time()) % 60)
                venue.ask("begin")
                self._play(venue, sidecar)
                self._settle(venue)
                for one in (sidecar, *replicas):
                    if one.stop() != 0 or "Traceback" in one.log:
                        raise ProofError(f"the sidecar failed: {one.log[-4000:]}")
                heartbeat = self._heartbeat()
            summary = self._after_the_stream(venue)
            summary |= {"counters": {name: heartbeat[name] for name in _COUNTERS if name in heartbeat}}
            if self.plan.kills or self.plan.accidents:
                summary["archive"] = self._after_the_archive(venue, settings)
        return summary

    @contextmanager
    def _replicas(self, settings: Mapping[str, str]) -> Iterator[list[Sidecar]]:
        """The other sidecars, named b, c and so on."""
        names = ascii_lowercase[1 : self.plan.replicas]
        with ExitStack() as stack:
            found = [
                stack.enter_context(Sidecar(settings, self._folder / f"sidecar-{name}.log", "--replica", name))
                for name in names
            ]
            for one in found:
                one.start()
            yield found

    def _add_rows(self) -> None:
        """Watch every coin, by rows of one minute, whose only candles are those of a minute."""
        coins = coin_names(self.plan.coins)
        with self._engine.begin() as connection:
            connection.execute(
                text("""
                    INSERT INTO positions (position_id, token_chain, book_id, token_contract, timeframe, weight)
                    SELECT gen_random_uuid(), 'hyperliquid', 'perps', coin, '1m', 1 FROM unnest(:coins) AS coin
                """),
                {"coins": coins},
            )
            if self.plan.history_loaded:
                connection.execute(
                    text("""
                        WITH known AS (
                          INSERT INTO instruments (token_chain, book_id, token_contract, symbol, lot, min_notional)
                          SELECT 'hyperliquid', 'perps', coin, coin, 1, 1 FROM unnest(:coins) AS coin
                          RETURNING instrument_id
                        )
                        INSERT INTO venue_candles
                          (instrument_id, timeframe, ts, open, high, low, close, volume, trades, fetched_at)
                        SELECT instrument_id, '1m', date_trunc('day', now() - interval '30 days', 'UTC'),
                               1, 1, 1, 1, 0, 0, now()
                        FROM known
                    """),
                    {"coins": coins},
                )

    def _streams(self, venue: VenueProcess) -> bool:
        """Whether every coin is subscribed to, and each sidecar says that its stream is proved."""
        if venue.ask("status")["subscribed"] < self.plan.coins:
            return False
        feeds = [one["feeds"]["hyperliquid/perps"] for one in self._heartbeats() if one.get("feeds")]
        streamed = sum(feed["subscribed"] for feed in feeds if feed["connected"])
        return bool(streamed == self.plan.coins * self.plan.replicas)

    def _play(self, venue: VenueProcess, sidecar: Sidecar) -> None:
        """Until the tape is sent, kill the sidecar and restart the server at the instants that the seed says."""
        events: list[tuple[float, Callable[[], None]]] = [
            (stormy(self._rng), partial(self._kill, sidecar, at_a_boundary=number % 4 == 1))
            for number in range(self.plan.kills)
        ]
        events += [(self._rng.uniform(0.3, 0.6), partial(self._replace, venue, sidecar))] * self.plan.replacements
        restarts = (self._crash_server, self._restart_server)
        events += [(stormy(self._rng), restarts[number % 2]) for number in range(self.plan.restarts)]
        events.sort(key=lambda event: event[0])
        said = 0.0
        while True:
            status = venue.ask("status")
            if sidecar.ended is not None:
                raise ProofError(f"the sidecar has ended with {sidecar.ended}: {sidecar.log[-4000:]}")
            while events and status["emitted"] >= events[0][0] * self.plan.trades:
                events.pop(0)[1]()
            if status["done"]:
                return
            if time.monotonic() - said > 10:
                said = time.monotonic()
                self._say(f"{status['emitted']:,} trades, {status['waiting']:,} bytes wait, {self._counts}")
            time.sleep(0.1)

    def _replace(self, venue: VenueProcess, sidecar: Sidecar) -> None:
        """The new sidecar does not know which trades the old one has stored."""
        self._say("the sidecar is replaced")
        self._counts["replacements"] += 1
        venue.ask("pause")
        paused_at = datetime.now(UTC) + timedelta(seconds=1)
        self._wait("the watermark", lambda: scalar(self._engine, _ALL_PAST, at=paused_at), 60)
        if sidecar.stop() != 0:
            raise ProofError(f"the sidecar failed: {sidecar.log[-4000:]}")
        self._earlier.update({name: self._heartbeat()[name] for name in ("quarantined", "quarantine_overflow")})
        sidecar.start()
        self._wait("the subscriptions", partial(self._streams, venue), 120)
        venue.ask("resume")

    def _kill(self, sidecar: Sidecar, *, at_a_boundary: bool) -> None:
        """At any instant, or when a minute has just begun: trades of the last one are under way then."""
        if at_a_boundary:
            time.sleep(60 - time.time() % 60 + self._rng.uniform(0.2, 0.9))
        self._say("kill -9")
        self._counts["kills"] += 1
        sidecar.kill()
        time.sleep(self._rng.uniform(0, 4))
        sidecar.start()

    def _crash_server(self) -> None:
        """End the server without a checkpoint; it recovers from its log."""
        self._say("immediate restart of Postgres")
        self._counts["immediate_restarts"] += 1
        assert self._postgres is not None
        shut_down_at_once(self._postgres)
        self._start_server()

    def _restart_server(self) -> None:
        self._say("fast restart of Postgres")
        self._counts["fast_restarts"] += 1
        assert self._postgres is not None
        self._postgres.stop()
        self._start_server()

    def _start_server(self) -> None:
        assert self._postgres is not None
        time.sleep(self._rng.uniform(0, 3))
        self._postgres.start()
        self._engine.dispose()

    def _settle(self, venue: VenueProcess) -> None:
        """Wait until everything that was sent is committed, and what was missed is repaired."""
        ended = datetime.now(UTC) + timedelta(seconds=1)
        self._say("the tape is sent")
        self._wait("the watermark", lambda: scalar(self._engine, _ALL_PAST, at=ended), 180)
        if self.plan.wait_for_repair:
            self._wait("the repair of what was missed", lambda: self._unrepaired() == 0, 1_500)
        status = venue.ask("status")
        self._counts.update({f"connection: {kind}": count for kind, count in status["accidents"].items()})
        if not self.plan.kills and not self.plan.accidents and self.plan.replicas == 1:
            quarantined = status["expected"].get("quarantined", 0)
            self._wait("the quarantine", lambda: self._total("quarantined") >= quarantined, 30)

    def _total(self, counter: str) -> int:
        """Over all sidecars that came one after the other."""
        return self._earlier[counter] + int(self._heartbeat().get(counter, 0))

    def _unrepaired(self) -> int:
        return int(
            scalar(
                self._engine,
                "SELECT (SELECT count(*) FROM outages WHERE repaired_at IS NULL)"
                " + (SELECT count(*) FROM dropped_ticks WHERE repaired_at IS NULL)",
            )
        )

    def _after_the_stream(self, venue: VenueProcess) -> dict[str, Any]:
        status = venue.ask("status")
        calm = not (self.plan.kills or self.plan.accidents)
        alone = self.plan.replicas == 1
        verdict = self._judge(
            status["started_ms"], nothing_lost=calm, repaired=self.plan.wait_for_repair, archived=False
        )
        if calm and alone:
            self._check_quarantine(status, verdict)
        return {
            **verdict.summary(),
            "seconds": round(self._seconds, 1),
            "events": dict(self._counts),
            "expected": status["expected"],
            "revisions": scalar(self._engine, "SELECT count(*) FROM bar_revisions"),
            "outages": scalar(self._engine, "SELECT count(*) FROM outages"),
            "dropped": scalar(self._engine, "SELECT coalesce(sum(dropped), 0) FROM dropped_ticks"),
        }

    def _check_quarantine(self, status: dict[str, Any], verdict: Verdict) -> None:
        """Every refused thing is counted; its message is kept or counted as one too many; its minute is marked."""
        refused, overflow = self._total("quarantined"), self._total("quarantine_overflow")
        kept = scalar(self._engine, "SELECT count(*) FROM quarantined_messages")
        if refused != status["expected"].get("quarantined", 0):
            verdict.fault("quarantined", (refused, status["expected"]))
        if kept + overflow != refused:
            verdict.fault("kept messages", (kept, overflow, refused))
        if dropped := self._heartbeat()["dropped"]:
            verdict.fault("dropped", dropped)
        marked = {(coin, minute): count for coin, minute, count in status["marked"]}
        with self._engine.connect() as connection:
            found = {
                (row[0], row[1]): row[2]
                for row in connection.execute(
                    text("""
                        SELECT token_contract, (extract(epoch FROM minute) * 1000)::bigint, dropped
                        FROM dropped_ticks JOIN instruments USING (instrument_id)
                    """)
                )
            }
        for key in marked.keys() | found.keys():
            if marked.get(key) != found.get(key):
                verdict.fault("dropped ticks of a minute", (key, marked.get(key), found.get(key)))
        # One at the start, and one at most for each frame that could not be read.
        most = self.plan.coins * (1 + self.plan.interruptions + self.plan.replacements)
        outages = scalar(self._engine, "SELECT count(*) FROM outages")
        if outages > most:
            verdict.fault("outages", (outages, most))

    def _after_the_archive(self, venue: VenueProcess, settings: dict[str, str]) -> dict[str, Any]:
        """Import what the venue's archive has, which is everything."""
        began = time.monotonic()
        folder = self._folder / "archive"
        venue.ask("archive", {"folder": str(folder), "dataset": self.plan.dataset})
        status = venue.ask("status")
        first = datetime.fromtimestamp(status["started_ms"] / 1000 - 3_600 * (self.plan.past_hours + 1), UTC)
        self._say(f"the archive of {self.plan.dataset} is written")
        asked = {
            "--source": "archive",
            "--path": str(folder),
            "--symbols": ",".join(coin_names(self.plan.coins)),
            "--from": f"{first:%Y-%m-%dT%H:%MZ}",
            "--to": f"{datetime.now(UTC) + _MINUTE:%Y-%m-%dT%H:%MZ}",
        }
        output = run_command(["backfill", *(word for pair in asked.items() for word in pair)], settings)
        self._say(output)
        verdict = self._judge(status["started_ms"], nothing_lost=False, repaired=True, archived=True)
        return {**verdict.summary(), "seconds": round(time.monotonic() - began, 1)}

    def _judge(self, started_ms: int, **claims: bool) -> Verdict:
        """Roll up what is left, with the bars of a day that is not over, and compare everything."""
        engine = self._database.engine(Role.APP)
        try:
            roll_up(engine, datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=2))
        finally:
            engine.dispose()
        self._say("comparing")
        verdict = Verdict()
        claim = Claim(**claims, since=started_ms - started_ms % 60_000)
        tape = read_tape(self._tape)
        for coin, stored in read_tables(self._engine):
            judge(coin, tape.pop(coin, {}), stored, claim, verdict)
        for coin in tape:
            verdict.fault("a coin that is missing", coin)
        left = scalar(self._engine, "SELECT count(*) FROM dirty_minutes")
        if left:
            verdict.fault("dirty minutes that were not worked off", left)
        verdict.counts["coins_missing"] = len(tape)
        return verdict

    @contextmanager
    def _rolling_up(self) -> Iterator[None]:
        """Roll up again and again, up to the last minute that is over."""
        ended = threading.Event()
        failures: list[BaseException] = []

        def run() -> None:
            engine = connect(self._database.url, Role.APP)
            try:
                while not ended.wait(2):
                    try:
                        self._counts["rollups"] += bool(roll_up(engine, _this_minute()).minutes)
                    except DBAPIError as error:
                        if not self.plan.restarts:
                            raise
                        self._counts["rollups_without_server"] += 1
                        self._say(f"rollup: {' '.join(str(error).split())[:100]}")
            except BaseException as error:
                failures.append(error)
            finally:
                engine.dispose()

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
        if failures:
            raise failures[0]

    def _heartbeat(self) -> dict[str, Any]:
        """The counters of the sidecar that beat last."""
        return next(iter(self._heartbeats()), {})

    def _heartbeats(self) -> list[dict[str, Any]]:
        """Each sidecar's counters, those of the newest heartbeat first."""
        with self._engine.connect() as connection:
            found = connection.execute(text("SELECT details FROM heartbeats ORDER BY beat_at DESC"))
            return [row.details or {} for row in found]

    def _wait(self, what: str, holds: Callable[[], object], seconds: float) -> None:
        self._say(f"waiting for {what}")
        end = time.monotonic() + seconds
        while True:
            try:
                if holds():
                    return
            except SQLAlchemyError as error:
                self._say(f"no answer: {type(error).__name__}")
            if time.monotonic() > end:
                raise ProofError(f"{what} did not come within {seconds:.0f} s; {self._state()}")
            time.sleep(0.2)

    def _state(self) -> str:
        return json.dumps({"heartbeat": self._heartbeat(), "unrepaired": self._unrepaired()}, default=str)

    @property
    def _seconds(self) -> float:
        return time.monotonic() - self._began

    def _say(self, what: str) -> None:
        print(f"{self._seconds:7.1f} s  {what}", file=sys.stderr, flush=True)


_ALL_PAST: Final = "SELECT bool_and(watermark > :at) FROM heartbeats WHERE beat_at > now() - interval '15 seconds'"
_COUNTERS: Final = ("stored", "duplicates", "quarantined", "quarantine_overflow", "dropped")


def _this_minute() -> datetime:
    return datetime.now(UTC).replace(second=0, microsecond=0)


def database_of(postgres: EmbeddedPostgres) -> Database:
    """The database of a server that was started for the proof."""
    return Database(make_url(postgres.url()))
