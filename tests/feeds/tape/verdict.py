"""Compares the tables with the tape."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from tests.feeds.tape.candles import LENGTHS, Candle, Candles
from tests.feeds.tape.expected import Bar, Numbers, Print, all_bars, minute_of_candle, minute_of_trades
from tests.feeds.tape.market import Trade
from tests.feeds.tape.tables import Stored, Tick

_MINUTE: Final = LENGTHS["1m"]
_SIDES: Final = {"B": "b", "A": "s"}
_SHOWN: Final = 20

CoinTape = Mapping[tuple[int, int], Trade]


class Claim(NamedTuple):
    """What is claimed of the tables.

    `nothing_lost`: all trades but the withheld ones came by the stream. `repaired`: no minute is incomplete any more.
    `archived`: the archive has brought every trade. Candles are compared from `since` on, when they no longer change.
    """

    nothing_lost: bool
    repaired: bool
    archived: bool
    since: int


@dataclass
class Verdict:
    """Totals, and what is wrong."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def fault(self, kind: str, example: object) -> None:
        self.faults[kind] += 1
        if self.faults[kind] <= 3 and len(self.examples) < _SHOWN:
            self.examples.append(f"{kind}: {example}")

    def summary(self) -> dict[str, Any]:
        return {**self.counts, "faults": dict(self.faults), "examples": self.examples}


def judge(coin: str, tape: CoinTape, stored: Stored, claim: Claim, verdict: Verdict) -> None:
    """Compare one coin's ticks, candles, bars and gaps with what they must be."""
    streamed, derived = _ticks(coin, tape, stored, claim, verdict)
    candles = Candles()
    for trade in tape.values():
        candles.add(trade, ("1m",))
    truth = {start: _numbers(candle) for start, candle in candles.series(coin, "1m").items()}
    for start, candle in stored.candles["1m"].items():
        if start >= claim.since and candle != truth.get(start):
            verdict.fault("a candle that differs", (coin, start, candle, truth.get(start)))
    minutes: dict[int, Bar] = {}
    for start, whole in _by_minute(tape.values()).items():
        bar = _minute(coin, start, whole, streamed.get(start, []), derived.get(start, []), stored, claim, verdict)
        if bar is not None:
            minutes[start] = bar
    expected = all_bars(minutes, lambda timeframe: stored.candles[timeframe], 2**60)
    _compare(coin, expected, stored, verdict)


def _ticks(
    coin: str, tape: CoinTape, stored: Stored, claim: Claim, verdict: Verdict
) -> tuple[dict[int, list[Tick]], dict[int, list[Tick]]]:
    """The stored trades by minute: those with the venue's ids, and those with derived ones."""
    streamed: dict[int, list[Tick]] = defaultdict(list)
    derived: dict[int, list[Tick]] = defaultdict(list)
    seen = set()
    for tick in stored.ticks:
        if tick.kind == "p":
            verdict.counts["polled_prices"] += 1
        elif tick.tid < 0:
            derived[tick.time - tick.time % _MINUTE].append(tick)
        else:
            streamed[tick.time - tick.time % _MINUTE].append(tick)
            seen.add((tick.time, tick.tid))
            trade = tape.get((tick.time, tick.tid))
            if trade is None or tick[2:5] != _values(trade):
                verdict.fault("a trade that was never sent", (coin, tick, trade))
    verdict.counts["trades"] += len(tape)
    verdict.counts["stored"] += len(seen)
    verdict.counts["withheld"] += sum(trade.withheld for trade in tape.values())
    missing = tape.keys() - seen
    if claim.archived:
        _check_archived(coin, tape, missing, derived, verdict)
    else:
        _check_missing(tape, missing, stored, claim, verdict)
    return streamed, derived


def _check_missing(
    tape: CoinTape, missing: Collection[tuple[int, int]], stored: Stored, claim: Claim, verdict: Verdict
) -> None:
    """What is missing is marked; without chaos nothing is missing but what was sent broken, and all of that is."""
    verdict.counts["missing"] += len(missing)
    for key in missing:
        marks = stored.marks(key[0] - key[0] % _MINUTE)
        if claim.nothing_lost and not tape[key].withheld:
            verdict.fault("a trade that is missing", tape[key])
        if not (marks.outage or marks.dropped):
            verdict.fault("a trade that is missing silently", tape[key])
    withheld = sum(trade.withheld for trade in tape.values())
    if claim.nothing_lost and len(missing) < withheld:
        verdict.fault("a broken trade that was stored", (withheld, len(missing)))


def _check_archived(
    coin: str,
    tape: CoinTape,
    missing: Collection[tuple[int, int]],
    derived: Mapping[int, list[Tick]],
    verdict: Verdict,
) -> None:
    """Either nothing is missing by its id, or all is there under derived ids."""
    if not derived:
        verdict.counts["missing"] += len(missing)
        for key in missing:
            verdict.fault("a trade that is missing after the archive", tape[key])
        return
    told = Counter((tick.time, tick.px, tick.sz, tick.side) for ticks in derived.values() for tick in ticks)
    truth: Counter[tuple[int, float, float | None, str | None]]
    truth = Counter((trade.time, *_values(trade)) for trade in tape.values())
    verdict.counts["missing"] += (truth - told).total()
    for absent in truth - told:
        verdict.fault("a trade that is missing after the archive", (coin, absent))
    for foreign in told - truth:
        verdict.fault("a trade that is in no archive", (coin, foreign))


def _minute(
    coin: str,
    start: int,
    whole: list[Trade],
    streamed: list[Tick],
    derived: list[Tick],
    stored: Stored,
    claim: Claim,
    verdict: Verdict,
) -> Bar | None:
    """The bar of one minute: of all its trades, if they are there; else the venue's candle; else of what is there."""
    marks = stored.marks(start)
    verdict.counts["minutes"] += 1
    verdict.counts["marked_minutes"] += marks.outage or marks.dropped > 0
    if len(streamed) == len(whole):
        source = "s" if any(tick.source == "s" for tick in streamed) else "a"
        return minute_of_trades((_print(trade) for trade in whole), source, marks)
    verdict.counts["incomplete_minutes"] += 1
    candle = stored.candles["1m"].get(start)
    if len(derived) == len(whole):
        # Derived ids do not tell in which order the trades of a millisecond happened; the venue's candle does.
        archived = (Print(tick.time, tick.tid, tick.px, tick.sz or 0.0) for tick in derived)
        bar = minute_of_trades(archived, "a", marks)
        return minute_of_candle(candle, marks) if candle is not None and _differ(bar, candle) else bar
    if candle is not None and candle.trades > len(streamed):
        verdict.counts["minutes_from_candles"] += 1
        return minute_of_candle(candle, marks)
    if claim.repaired or claim.archived:
        verdict.fault("a minute that was not repaired", (coin, start, marks))
    if not streamed:
        return None
    kept = [Print(tick.time, tick.tid, tick.px, tick.sz or 0.0) for tick in streamed]
    return minute_of_trades(kept, "s", marks)


def _differ(bar: Bar, candle: Numbers) -> bool:
    """Whether the candle replaces a bar of as many trades: if a price is off by more than a ten thousandth."""
    return any(abs(ours - theirs) > 1e-4 * theirs for ours, theirs in zip(bar[:4], candle[:4], strict=True))


def _compare(coin: str, expected: Mapping[tuple[str, int], Bar], stored: Stored, verdict: Verdict) -> None:
    for key, bar in expected.items():
        verdict.counts[f"bars_{key[0]}"] += 1
        found = stored.bars.get(key)
        if found is None:
            verdict.fault("a bar that is missing", (coin, key, bar))
        elif found != bar:
            differing = {
                name: (getattr(found, name), getattr(bar, name))
                for name in Bar._fields
                if getattr(found, name) != getattr(bar, name)
            }
            verdict.fault("a bar that differs", (coin, key, differing))
    for key in stored.bars.keys() - expected.keys():
        verdict.fault("a bar without trades", (coin, key, stored.bars[key]))
    gaps = {key for key, bar in expected.items() if bar.gap_detected}
    for gap in gaps ^ stored.gaps:
        verdict.fault("a gap that is missing or was never there", (coin, gap))


def _by_minute(trades: Iterable[Trade]) -> dict[int, list[Trade]]:
    found: dict[int, list[Trade]] = defaultdict(list)
    for trade in trades:
        found[trade.time - trade.time % _MINUTE].append(trade)
    return found


def _values(trade: Trade) -> tuple[float, float, str]:
    return float(trade.px), float(trade.sz), _SIDES[trade.side]


def _print(trade: Trade) -> Print:
    return Print(trade.time, trade.tid, float(trade.px), float(trade.sz))


def _numbers(candle: Candle) -> Numbers:
    return Numbers(
        float(candle.open),
        float(candle.high),
        float(candle.low),
        float(candle.close),
        float(str(candle.volume)),
        candle.trades,
    )
