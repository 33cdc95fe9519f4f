"""`strandline data`: what market data there are, and archived days back."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True, help="See what market data there are, check archived days, and bring them back."
)


@app.command()
def status(
    symbols: Annotated[
        str, typer.Option(help="Symbols or contracts, with commas between them; if left out, all that have bars.")
    ] = "",
    first: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], help="The first day, UTC; if left out, 24 hours before the end."),
    ] = None,
    last: Annotated[
        datetime | None,
        typer.Option("--to", formats=["%Y-%m-%d"], help="The last day, which is included; if left out, until now."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead, for programs.")] = False,
) -> None:
    """Show per symbol what data there are, from when to when, what is missing, what was repaired, and how old it is.

    Minutes are those of the chosen time: `missing` have no bar between the symbol's first and its newest, `damaged`
    have one of which trades may be missing (an outage, dropped ticks), `repaired` were damaged and mended.
    `compared` says how long ago bars were compared with the venue's candles, and `archived` counts the days of ticks
    that are in files.
    A symbol that trades seldom has minutes in which nothing happened: they count as missing, too.

    In the picture a block stands for the share of minutes that have a bar: █ all, ▇ to ▁ fewer, · none.

    Example: strandline data status --symbols BTC,ETH --from 2026-11-15
    """
    import json as json_module

    from rich.console import Console

    from strandline.bars.coverage import Span, read_coverage
    from strandline.cli.data.status import (
        JSON_BUCKETS,
        archive_line,
        archived_days,
        as_json,
        buckets_for,
        facts,
        picture,
    )
    from strandline.configuration import load_settings
    from strandline.retention.tick_archive import TickArchive
    from strandline.store.connect import connect, database_url, in_words
    from strandline.store.roles import Role
    from strandline.store.timeouts import MAINTENANCE

    settings = load_settings()
    now = datetime.now(UTC)
    chosen = [name.strip() for name in symbols.split(",") if name.strip()]
    console = Console(highlight=False)
    since, until = _span(first, last, now)
    span = Span.of(since, until, JSON_BUCKETS if json else buckets_for(console.width))
    engine = connect(database_url(settings, Role.UI), Role.UI, timeouts=MAINTENANCE)
    try:
        with in_words(settings), engine.connect() as connection:
            found = read_coverage(connection, span, now, chosen or None)
    finally:
        engine.dispose()
    files = TickArchive(settings.archive).files()
    archived = archived_days(files)
    if json:
        print(json_module.dumps(as_json(found, files, archived, span, now), indent=2))
        return
    if found:
        console.print(facts(found, archived, now), "")
        for line in picture(found, span):
            console.print(line, soft_wrap=True)
        print()
    known = {name.upper() for one in found for name in (one.symbol, one.contract)}
    for name in (name for name in chosen if name.upper() not in known):
        print(f"There are no bars of {name}.")
    if not found and not chosen:
        print("There are no bars yet.")
    print(archive_line(files))


def _span(first: datetime | None, last: datetime | None, now: datetime) -> tuple[datetime, datetime]:
    """The time that was asked for, in whole minutes, and not beyond now."""
    this_minute = now.replace(second=0, microsecond=0)
    until = min(last.replace(tzinfo=UTC) + timedelta(days=1), this_minute) if last else this_minute
    since = first.replace(tzinfo=UTC) if first else until - timedelta(days=1)
    if since >= until:
        raise typer.BadParameter(f"nothing lies between {since:%Y-%m-%d %H:%M} and {until:%Y-%m-%d %H:%M} UTC")
    return since, until


@app.command()
def restore(
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="The first day, UTC.")],
    last: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="The last day, which is included.")],
    rebuild_bars: Annotated[
        bool, typer.Option("--rebuild-bars", help="Let the next cycle build the bars of restored ticks anew.")
    ] = False,
) -> None:
    """Bring archived ticks back into the database, beside those that are there.

    Every file is verified before anything of it is stored. What is there already stays; doing it twice changes nothing.
    Bars are kept as they are, because they were built from the same ticks. Restored days are old: the next maintenance
    drops them again, unless STRANDLINE_TICK_RETENTION_DAYS is raised before.

    Example: strandline data restore --from 2026-07-01 --to 2026-07-03
    """
    from strandline.configuration import load_settings
    from strandline.retention.restoring import restore_ticks
    from strandline.retention.tick_archive import TickArchive
    from strandline.store.connect import connect, database_url, in_words
    from strandline.store.roles import Role
    from strandline.store.timeouts import MAINTENANCE

    settings = load_settings()
    engine = connect(database_url(settings, Role.INGEST), Role.INGEST, timeouts=MAINTENANCE)
    try:
        with in_words(settings):
            done = restore_ticks(
                engine,
                TickArchive(settings.archive),
                first.date(),
                last.date(),
                rebuild_bars=rebuild_bars,
                report=lambda one: print(
                    f"{one.file.day}  {one.stored:,} ticks restored, {one.file.rows - one.stored:,} were there",
                    flush=True,
                ),
            )
    finally:
        engine.dispose()
    if not done:
        print(f"No archived day lies between {first.date()} and {last.date()}.")


@app.command()
def verify() -> None:
    """Read every archived file, and compare it with the manifest; exits 1 if one is damaged or missing."""
    from strandline.configuration import load_settings
    from strandline.retention.tick_archive import TickArchive
    from strandline.retention.tick_file import DamagedFileError
    from strandline.retention.tick_file import verify as verify_file

    archive = TickArchive(load_settings().archive)
    damaged = 0
    for entry in archive.files():
        try:
            verify_file(archive.path(entry), entry)
            print(f"{entry.day}  {entry.rows:,} ticks, as they were written", flush=True)
        except DamagedFileError as error:
            damaged += 1
            print(f"{entry.day}  {error.problem}", flush=True)
    raise typer.Exit(code=bool(damaged))
