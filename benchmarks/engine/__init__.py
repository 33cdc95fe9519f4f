"""The engine: one new bar of a thousand series, with and without the database; a million bars; the plan after it."""

from statistics import median
from typing import Final

from benchmarks.benchmark import Benchmark, Part, Result
from benchmarks.database import server
from benchmarks.engine.in_database import sides
from benchmarks.engine.in_memory import both_sides, million_bars
from benchmarks.engine.planning import seconds_to_plan
from benchmarks.engine.series import HISTORY, SERIES
from benchmarks.progress import Progress
from benchmarks.rounds import ROUNDS, Rounds, in_turns
from strandline.engine import warm_up
from strandline.model.strategy import Strategy
from strandline.settings import Settings
from strandline.strategy import load_strategy


def _run(progress: Progress) -> Result:
    strategy = load_strategy(Settings())
    warm_up(strategy)
    memory = _in_memory(progress, strategy, signals=False)
    with_hashes = _in_memory(progress, strategy, signals=True)
    progress.doing("a million bars")
    history, every = (median(seconds) for seconds in zip(*(million_bars(strategy) for _ in range(ROUNDS)), strict=True))
    progress.doing("planning")
    planning = median(seconds_to_plan(strategy) for _ in range(ROUNDS))
    database, version = _in_database(progress, strategy)
    return Result(
        memory.speedup,
        version,
        {
            "ratio_db": Part(database.speedup, "the same with database: reading the bars and TA-Lib ÷ the step (≥ 5)"),
            "step_ms": Part(median(memory.ours) * 1e3, f"ms for one new bar of {SERIES:,} series"),
            "step_for_signals_ms": Part(
                median(with_hashes.ours) * 1e3, "ms if the states before are kept as well, whose hashes signals have"
            ),
            "talib_ms": Part(median(memory.theirs) * 1e3, f"ms for TA-Lib over {HISTORY:,} bars of each"),
            "step_db_ms": Part(median(database.ours) * 1e3, "ms for the step with all that it reads and writes"),
            "talib_db_ms": Part(median(database.theirs) * 1e3, "ms for reading the bars by binary COPY and TA-Lib"),
            "million_bars_seconds": Part(
                history, "seconds for a million bars of one series, all but the newest history"
            ),
            "million_outputs_seconds": Part(every, "seconds for a million bars of one series with every bar's output"),
            "plan_ms": Part(planning * 1e3, f"ms to plan {SERIES:,} rows"),
        },
    )


def _in_memory(progress: Progress, strategy: Strategy, *, signals: bool) -> Rounds:
    progress.doing("in memory")
    ours, theirs = both_sides(strategy, signals=signals)
    rounds = Rounds([], [])
    for step, talib in in_turns(ours, theirs):
        rounds.ours.append(step)
        rounds.theirs.append(talib)
        progress.say(f"in memory: TA-Lib {talib * 1e3:.1f} ms, the step {step * 1e3:.2f} ms")
    return rounds


def _in_database(progress: Progress, strategy: Strategy) -> tuple[Rounds, str]:
    rounds = Rounds([], [])
    with server() as postgres:
        progress.doing(f"making a database with {SERIES * HISTORY:,} bars")
        with sides(postgres, strategy, ROUNDS + 1) as both:
            both.ours()  # the first ones fill the caches
            both.theirs()
            progress.doing("with database")
            for step, talib in in_turns(both.ours, both.theirs):
                rounds.ours.append(step)
                rounds.theirs.append(talib)
                progress.say(f"with database: TA-Lib {talib * 1e3:.0f} ms, the step {step * 1e3:.0f} ms")
        return rounds, postgres.version


BENCHMARK: Final = Benchmark(
    title="The engine and indicators that are computed anew",
    prose="""\
The engine keeps the state of each series and moves it by one bar. The other side keeps nothing: for one new bar TA-Lib
computes its indicators over the newest thousand bars of each series again. It has only a part of what the engine
computes: six averages, ATR and its mean, ADX, RSI and seven slopes; no scores, levels, states or flags. With database
the step reads states and bars and stores states and signals, every term of every score included; the other side reads
high, low, close and volume of the bars by binary COPY, and stores nothing.""",
    ratio="TA-Lib's time ÷ the step's, in memory, one new bar of 1,000 series",
    target="≥ 100",
    run=_run,
)
