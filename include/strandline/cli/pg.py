"""`strandline pg`: the embedded PostgreSQL server, its backups, and psql for any database."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from strandline.model.errors import StrandlineError

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

    from strandline.store.postgres.server import EmbeddedPostgres

app = typer.Typer(
    help="The embedded PostgreSQL server: start, stop, look inside, back up.",
    no_args_is_help=True,
)

_NOT_RUNNING = 3


@app.command()
def start() -> None:
    """Start the server, and create it the first time; does nothing if it runs.

    It goes on after this command, until `strandline pg stop`.

    Example: strandline pg start
    """
    server = _embedded("start")
    server.start()
    _print_running(server)


@app.command()
def stop() -> None:
    """Stop the server; everything committed is kept. Does nothing if it does not run.

    Example: strandline pg stop
    """
    server = _embedded("stop")
    server.stop()
    print(f"Postgres is stopped; data stays in {server.data}; start it again with: strandline pg start")


@app.command()
def status() -> None:
    """Say whether the server runs; ends with 3 when it does not.

    Example: strandline pg status
    """
    server = _embedded("status")
    if not server.running:
        print("Postgres is not running; start it with: strandline pg start")
        raise typer.Exit(_NOT_RUNNING)
    _print_running(server)


@app.command(context_settings={"ignore_unknown_options": True})
def psql(
    arguments: Annotated[
        list[str] | None, typer.Argument(help="Whatever psql takes; put -- before its options.")
    ] = None,
) -> None:
    """Open psql in the database, or pass it a query.

    Example: strandline pg psql -- -c 'SELECT count(*) FROM ticks'
    """
    external = _external_url()
    if external is None:
        _server().psql(arguments or [])
    _psql_elsewhere(external, arguments or [])


@app.command()
def url(
    database: Annotated[str | None, typer.Option(help="Another database than the one of Strandline.")] = None,
) -> None:
    """Print the address of the database for SQLAlchemy and Airflow, with its password if it has one.

    Example: strandline pg url --database airflow
    """
    external = _external_url()
    if external is not None:
        wanted = external if database is None else external.set(database=database)
        print(wanted.render_as_string(hide_password=False))
    elif database is None:
        print(_server().url())
    else:
        print(_server().url(database))


@app.command()
def backup(file: Annotated[Path, typer.Argument(help="The file to write; it must not exist yet.")]) -> None:
    """Write the whole database to a file, while everything goes on running.

    Example: strandline pg backup strandline-monday.dump
    """
    _embedded("backup").backup(file)
    print(f"Wrote {file} ({file.stat().st_size:,} bytes); bring it back with: strandline pg restore {file}")


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="What `strandline pg backup` wrote.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Replace the database by a backup. The present one is kept under another name, which is printed.

    Stop Airflow and the sidecar first: their connections are closed.

    Example: strandline pg restore strandline-monday.dump
    """
    server = _embedded("restore")
    if not yes:
        typer.confirm(f"Replace the database by {file}, and cut off everything that uses it?", abort=True)
    kept = server.restore(file)
    print(f"Restored {file}; the database as it was is kept as {kept}")


def _embedded(command: str) -> "EmbeddedPostgres":
    if _external_url() is not None:
        problem = f"`strandline pg {command}` is for the embedded server, and STRANDLINE_DATABASE_URL names another one"
        raise StrandlineError(problem, "use that server's own tools, or remove STRANDLINE_DATABASE_URL")
    return _server()


def _server() -> "EmbeddedPostgres":
    from strandline.configuration import load_settings
    from strandline.store.postgres.server import EmbeddedPostgres

    return EmbeddedPostgres(load_settings().home / "postgres")


def _external_url() -> "URL | None":
    from sqlalchemy.engine import make_url

    from strandline.configuration import load_settings

    given = load_settings().database_url
    return None if given is None else make_url(given.get_secret_value())


def _psql_elsewhere(external: "URL", arguments: list[str]) -> NoReturn:
    from strandline.store.postgres.client import become_psql
    from strandline.store.postgres.programs import Programs

    # psql knows neither SQLAlchemy's driver names nor, for others' eyes in the list of processes, the password.
    plain = external.set(drivername="postgresql")._replace(password=None)
    secret = {} if external.password is None else {"PGPASSWORD": str(external.password)}
    sys.stdout.flush()
    become_psql(Programs(), [f"--dbname={plain.render_as_string()}", *arguments], secret)


def _print_running(server: "EmbeddedPostgres") -> None:
    print(f"Postgres {server.version} is running; data in {server.data}; connect with: strandline pg psql")
