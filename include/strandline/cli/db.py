"""`strandline db`: the schema's steps."""

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Bring the database's schema up to date, and see where it is.")


@app.command()
def migrate() -> None:
    """Bring the schema to the newest step; run it after every upgrade. Doing it twice changes nothing.

    It creates the roles too, and the partitions for the ticks of the coming week.
    """
    from datetime import UTC, datetime

    from strandline.configuration import load_settings
    from strandline.store.connect import in_words, owner_engine
    from strandline.store.migrate import latest_step
    from strandline.store.migrate import migrate as go
    from strandline.store.partitions import ensure_partitions_around

    settings = load_settings()
    with in_words(settings), owner_engine(settings) as engine:
        go(engine)
        made = ensure_partitions_around(engine, datetime.now(UTC).date())
    print(f"The schema is at step {latest_step()}; {made} tick partitions were made.")


@app.command()
def status() -> None:
    """Print the step that the database is at and the newest; exits 1 when they differ."""
    from strandline.configuration import load_settings
    from strandline.store.connect import in_words, owner_engine
    from strandline.store.migrate import current_step, latest_step

    settings = load_settings()
    with in_words(settings), owner_engine(settings) as engine, engine.connect() as connection:
        step = current_step(connection)
    print(f"at {step or 'nothing'}, newest {latest_step()}")
    raise typer.Exit(code=step != latest_step())


@app.command()
def back(
    step: Annotated[
        str, typer.Argument(help="The step to go back to, such as 0004_planning; `base` removes everything.")
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Go back to an earlier step. The data of later steps are lost: `strandline pg backup` first."""
    from strandline.configuration import load_settings
    from strandline.store.connect import in_words, owner_engine
    from strandline.store.migrate import migrate_back

    settings = load_settings()
    if not yes:
        typer.confirm(f"Everything that came after step {step} will be deleted. Go on?", abort=True)
    with in_words(settings), owner_engine(settings) as engine:
        migrate_back(engine, step)
    print(f"The schema is at step {step}.")


@app.command()
def docs() -> None:
    """Print docs/schema.md: the tables of the database with their writers, columns and comments."""
    from strandline.configuration import load_settings
    from strandline.store.connect import in_words, owner_engine
    from strandline.store.migrate import require_latest_step
    from strandline.store.schema_docs import schema_docs

    settings = load_settings()
    with in_words(settings), owner_engine(settings) as engine, engine.connect() as connection:
        require_latest_step(connection)
        print(schema_docs(connection), end="")
