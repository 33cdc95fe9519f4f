"""`strandline backfill`: loads history."""

from typing import Annotated, Final

import typer

from strandline.model.source import HistorySource
from strandline.model.timeframe import Timeframe
from strandline.venues.registry import venues

_VENUE: Final = venues()[0]
_PARAGRAPHS: Final = f"""
Load trades, prices or candles of the past, and build their bars.

Sources: `rest` asks the venue for its candles, as far back as it keeps them. `archive` reads the venue's
own files of trades, from a folder that you have copied them to. `file` reads a CSV or Parquet file of trades, prices or
bars; its columns are in docs/backfill.md.

It may be ended or killed at any instant and started again: each hour, day or piece of a file is stored whole or not at
all, and what was loaded before is not loaded again. It may run while everything else runs, and twice at once.

Example: strandline backfill --from 2026-11-18 --to 2026-11-20 --symbols BTC,ETH

Example: strandline backfill --from 2026-06-01 --to 2026-11-20 --symbols BTC --timeframe 1h

Example: strandline backfill --source archive --path ~/node-data --from 2025-08-01 --to 2025-08-31 --symbols BTC

Example: strandline backfill --source file --path btc.csv --symbols BTC --venue {_VENUE.key}
"""
HELP: Final = "\n\n".join(" ".join(paragraph.split()) for paragraph in _PARAGRAPHS.split("\n\n"))
"""Not a docstring, because it names a venue."""


def backfill(
    start: Annotated[
        str | None, typer.Option("--from", help="The first day, such as 2026-11-18, or an instant, 2026-11-18T14:30Z.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="The last day, which is included; or the instant before which to end.")
    ] = None,
    symbols: Annotated[
        str, typer.Option(help="Symbols or contracts, with commas between them; if left out, all that is streamed.")
    ] = "",
    venue: Annotated[str, typer.Option(help="Whose data: a venue's key or name.")] = str(_VENUE.key),
    source: Annotated[HistorySource, typer.Option(help="Where the history comes from.")] = HistorySource.REST,
    timeframe: Annotated[
        Timeframe, typer.Option(help="The length of the venue's candles: of longer ones it keeps more.")
    ] = Timeframe.M1,
    path: Annotated[
        str | None, typer.Option(help="The folder of the archive, laid out as the venue does; or the file.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Load what was loaded before, too.")] = False,
) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from strandline.cycle.backfill import run_backfill
    from strandline.cycle.backfill_request import make_request
    from strandline.cycle.backfill_words import in_words
    from strandline.history.backfill import Outcome
    from strandline.history.units import Loaded

    request = make_request(
        venue=venue,
        symbols=symbols.split(","),
        start=start,
        end=end,
        source=source,
        path=path,
        again=again,
        timeframe=timeframe,
    )
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    _require_schema()
    console = Console(stderr=True, highlight=False)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("looking what there is", total=None)
        rows = Loaded()

        def report(name: str, outcome: Outcome, loaded: Loaded, count: int | None) -> None:
            rows.add(loaded)
            told = f"{name}: {outcome}; {rows.stored:,} rows stored"
            progress.update(bar, advance=1, total=count, description=told)

        try:
            summary = run_backfill(request, report)
        except KeyboardInterrupt:
            progress.stop()
            console.print(
                f"ended by you; {rows.stored:,} rows are stored and stay. The same command goes on from there.",
                soft_wrap=True,
            )
            raise typer.Exit(130) from None
    for line in in_words(summary):
        print(line)
    if summary["failures"]:
        raise typer.Exit(1)


def _require_schema() -> None:
    """Tell a database that is not migrated from one that is away."""
    from strandline.configuration import load_settings
    from strandline.store.connect import in_words, owner_engine
    from strandline.store.migrate import require_latest_step

    settings = load_settings()
    with in_words(settings), owner_engine(settings) as engine, engine.connect() as connection:
        require_latest_step(connection)
