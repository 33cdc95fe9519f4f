"""`python -m benchmarks NAME [--json]` runs one, `python -m benchmarks all --page FILE` all, and writes the page."""

import argparse
import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import engine, ingest, rollup
from benchmarks.benchmark import Benchmark, Result
from benchmarks.machine import machine
from benchmarks.page import page, shown
from benchmarks.progress import progress

BENCHMARKS = {
    "ingest": ingest.BENCHMARK,
    "rollup": rollup.BENCHMARK,
    "engine": engine.BENCHMARK,
}


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measures what must be fast.")
    parser.add_argument("name", choices=[*BENCHMARKS, "all"])
    parser.add_argument("--json", action="store_true", help="print one JSON object for each, and nothing else")
    parser.add_argument("--page", type=Path, help="write the results to this page")
    asked = parser.parse_args()
    results = {}
    for name, benchmark in BENCHMARKS.items():
        if asked.name in {name, "all"}:
            with progress() as told:
                told.say(f"{name}: {benchmark.ratio}")
                results[name] = benchmark.run(told)
            if asked.json:
                print(json.dumps(_object(name, results[name])), flush=True)
            else:
                _print(benchmark, results[name])
    if asked.page:
        asked.page.write_text(page({BENCHMARKS[name]: result for name, result in results.items()}))


def _object(name: str, result: Result) -> dict[str, Any]:
    parts = {key: part.value for key, part in result.parts.items()}
    return {"name": name, "ratio": result.ratio, "parts": parts, "machine": machine(result.postgres)}


def _print(benchmark: Benchmark, result: Result) -> None:
    table = Table(title=benchmark.title, title_justify="left", show_header=False)
    table.add_row(f"[bold]{result.ratio:.3f}", f"[bold]{benchmark.ratio} (target {benchmark.target})")
    for part in result.parts.values():
        table.add_row(shown(part.value), part.words)
    Console().print(table)


if __name__ == "__main__":
    main()
