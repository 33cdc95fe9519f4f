"""What a benchmark is, and what it returns."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

from benchmarks.progress import Progress


class BenchmarkError(Exception):
    """The run proved nothing: something was lost, or did not work."""


class Part(NamedTuple):
    """One figure and what it is."""

    value: float
    words: str


Parts: TypeAlias = Mapping[str, Part]


class Result(NamedTuple):
    """The ratio that is the benchmark's figure, the version of Postgres, and what the ratio is made of."""

    ratio: float
    postgres: str
    parts: Parts


class Benchmark(NamedTuple):
    """A benchmark with its words for docs/performance.md; `target` is what the ratio must be."""

    title: str
    prose: str
    ratio: str
    target: str
    run: Callable[[Progress], Result]
