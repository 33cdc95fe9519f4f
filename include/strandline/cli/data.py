"""`strandline data`: what market data there are, and archived days back."""

from datetime import datetime
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True, help="See what market data there are, check archived days, and bring them back."
)


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
