"""From the socket to the committed row, against raw COPY of the same rows."""

from statistics import median, quantiles
from typing import Final

from benchmarks.benchmark import Benchmark, Part, Result
from benchmarks.database import server
from benchmarks.ingest.paced import PACE, seconds_to_commit
from benchmarks.ingest.processes import venue
from benchmarks.ingest.sides import Measured, copy_raw, stream
from benchmarks.progress import Progress
from benchmarks.rounds import ROUNDS, Rounds, in_turns

_ROWS: Final = 300_000
_ROWS_IN_SMALL_FRAMES: Final = 50_000
_PER_FRAME: Final = 10


def _run(progress: Progress) -> Result:
    rounds: list[tuple[Measured, Measured]] = []
    with server() as postgres, venue() as source:
        progress.doing(f"round 1 of {ROUNDS}")
        for ours, raw in in_turns(
            lambda: stream(postgres, source, _ROWS, _PER_FRAME), lambda: copy_raw(postgres, _ROWS)
        ):
            rounds.append((ours, raw))
            progress.say(
                f"round {len(rounds)} of {ROUNDS}: {ours.rows_per_second:,.0f} rows/s, raw COPY"
                f" {raw.rows_per_second:,.0f} rows/s, ratio {ours.rows_per_second / raw.rows_per_second:.3f}"
            )
            progress.doing(f"round {len(rounds) + 1} of {ROUNDS}")
        progress.doing("frames of 1 trade")
        single = stream(postgres, source, _ROWS_IN_SMALL_FRAMES, 1)
        progress.doing("frames of 50 trades")
        large = stream(postgres, source, _ROWS, 50)
        progress.doing(f"{PACE:,} ticks a second")
        percentiles = quantiles(seconds_to_commit(postgres, source), n=100)
        version = postgres.version
    speeds = Rounds([ours.rows_per_second for ours, _ in rounds], [raw.rows_per_second for _, raw in rounds])
    return Result(
        speeds.ratio,
        version,
        {
            "rows_per_second": Part(median(speeds.ours), "rows a second, frames of 10 trades"),
            "raw_rows_per_second": Part(median(speeds.theirs), "rows a second, raw COPY"),
            "rows_per_second_single": Part(single.rows_per_second, "rows a second, frames of 1 trade"),
            "rows_per_second_large": Part(large.rows_per_second, "rows a second, frames of 50 trades"),
            "cpu_us": Part(median(ours.client_us for ours, _ in rounds), "µs of CPU a row, sidecar"),
            "cpu_us_postgres": Part(median(ours.server_us for ours, _ in rounds), "µs of CPU a row, its Postgres"),
            "raw_cpu_us": Part(median(raw.client_us for _, raw in rounds), "µs of CPU a row, raw COPY's client"),
            "raw_cpu_us_postgres": Part(median(raw.server_us for _, raw in rounds), "µs of CPU a row, its Postgres"),
            "p50_seconds": Part(percentiles[49], f"seconds from sent to committed at {PACE:,} ticks a second, median"),
            "p99_seconds": Part(percentiles[98], f"seconds from sent to committed at {PACE:,} ticks a second, p99"),
        },
    )


BENCHMARK: Final = Benchmark(
    title="From the socket to the committed row",
    prose="""\
A venue in a process of its own sends frames that were built before, as fast as they are taken. `strandline ingest`
receives, decodes, checks and de-duplicates them and commits them into `ticks` with their dirty minutes; what it does
once at its start, such as loading its compiled parser, is over by then. The other side is the least that anybody could
do: binary COPY of the same rows, packed before, into the same table with the same indexes, in batches of the same size.
A ratio of 1 would mean that all but COPY costs nothing, or is hidden behind it. That takes two free cores: on a loaded
machine the sidecar and the server share one.""",
    ratio="rows a second ÷ those of raw COPY, frames of 10 trades",
    target="≥ 0.75",
    run=_run,
)
