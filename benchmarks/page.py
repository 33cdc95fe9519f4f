"""Writes docs/performance.md."""

from collections.abc import Mapping
from typing import Final

from benchmarks.benchmark import Benchmark, Result
from benchmarks.machine import machine
from benchmarks.rounds import ROUNDS

_HEAD: Final = """\
# How fast it is

Written by `make bench`, which measures it on your machine in some minutes; `python -m benchmarks NAME` runs one of them
and with `--json` prints its figures as one object.

A figure of seconds says more about the machine than about the code. So each measure is a **ratio** of two sides that
run in turns, in one run, on the same machine; it is the median of at least {rounds} rounds. The other figures are what
the ratio is made of, so that it can be checked, and compared between machines of the same kind.

These were measured with {cores} cores ({cpu}), Python {python} and PostgreSQL {postgres}: the embedded server as it
comes, on which a commit that was answered is on disk.
"""


def page(results: Mapping[Benchmark, Result]) -> str:
    """The page with all results."""
    kind = machine(next(iter(results.values())).postgres)
    parts = [_HEAD.format(rounds=ROUNDS, **kind), _overview(results)]
    return "\n".join(parts + [_section(benchmark, result) for benchmark, result in results.items()])


def shown(value: float) -> str:
    """A figure with as many digits as mean something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _overview(results: Mapping[Benchmark, Result]) -> str:
    lines = ["| measure | ratio | target |", "|---|--:|--:|"]
    lines += [
        f"| [{benchmark.title}](#{_anchor(benchmark.title)}) | {result.ratio:.2f} | {benchmark.target} |"
        for benchmark, result in results.items()
    ]
    return "\n".join([*lines, ""])


def _section(benchmark: Benchmark, result: Result) -> str:
    lines = [f"## {benchmark.title}", "", benchmark.prose, "", "| | |", "|--:|---|"]
    lines.append(f"| **{result.ratio:.3f}** | **{benchmark.ratio}** |")
    lines += [f"| {shown(part.value)} | {part.words} |" for part in result.parts.values()]
    return "\n".join([*lines, ""])


def _anchor(title: str) -> str:
    return "".join(letter for letter in title.lower() if letter.isalnum() or letter == " ").replace(" ", "-")
