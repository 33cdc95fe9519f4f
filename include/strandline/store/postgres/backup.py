"""Backs up the embedded server's database, and restores it."""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import psycopg2
from psycopg2 import errors, sql
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class that psycopg2 spells like a module

from strandline.model.errors import StrandlineError
from strandline.store.postgres.client import Client
from strandline.store.postgres.programs import last_lines
from strandline.store.roles import Role

_RESTORING = "strandline_restoring"
_ATTEMPTS_TO_SWAP = 5


def write_backup(client: Client, database: str, file: Path) -> None:
    """Write the database to a file that appears under its name only when it is whole and on disk."""
    client.require_server()
    if file.exists():
        raise StrandlineError(f"{file} exists, and a backup is never overwritten", "choose another name")
    with _atomically_written(file) as partial:
        # By name and not by a stream: at its end pg_dump goes back and writes where the data are, which a restore uses.
        dump = client.run("pg_dump", ["--format=custom", f"--file={partial.absolute()}", f"--dbname={database}"])
        if dump.returncode != 0:
            problem = f"the backup to {file} failed: {last_lines(dump.stderr)}"
            raise StrandlineError(problem, "nothing was written; put that right and try again")


def restore_backup(client: Client, database: str, file: Path) -> str:
    """Replace the database by a backup, and return the name under which the old one is kept."""
    client.require_server()
    _check_archive(client, file)
    try:
        with client.session() as session:
            _lock_out_other_restores(session)
            _create_missing_roles(session)
            return _restore_beside_and_swap(client, session, database, file)
    except psycopg2.Error as error:
        raise _restore_failed(file, str(error)) from error


def sync_directory(directory: Path) -> None:
    """Write a rename in the directory to disk, so that it survives a power cut."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _atomically_written(file: Path) -> Iterator[Path]:
    partial = file.with_name(f"{file.name}.partial")
    with _explaining_system_errors(file):
        descriptor = _create(partial)
        try:
            yield partial
            os.fsync(descriptor)
            partial.rename(file)
            sync_directory(file.parent)
        finally:
            os.close(descriptor)
            partial.unlink(missing_ok=True)


def _create(partial: Path) -> int:
    try:
        return os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        problem = f"{partial} exists: another backup is writing it, or was killed while it did"
        raise StrandlineError(problem, "wait for that one, or remove the file, and try again") from None


@contextlib.contextmanager
def _explaining_system_errors(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StrandlineError(f"cannot write {file}: {error.strerror}", "choose another place") from error


def _check_archive(client: Client, file: Path) -> None:
    if not file.is_file():
        raise StrandlineError(f"there is no file {file}", "give the file that `strandline pg backup` wrote")
    listing = client.run("pg_restore", ["--list", str(file.absolute())])
    if listing.returncode != 0:
        problem = f"{file} is not a whole backup: {last_lines(listing.stderr)}"
        raise StrandlineError(problem, "nothing was changed; give a file that `strandline pg backup` wrote")


def _lock_out_other_restores(session: Connection) -> None:
    with session.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtext(%s))", [_RESTORING])
        if cursor.fetchone() != (True,):
            raise StrandlineError("another restore is going on", "wait until it has ended")


def _create_missing_roles(session: Connection) -> None:
    # Roles belong to the whole server, so a backup of one database names them without holding them.
    for role in Role:
        with session.cursor() as cursor, contextlib.suppress(errors.DuplicateObject):
            cursor.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(role)))


def _restore_beside_and_swap(client: Client, session: Connection, database: str, file: Path) -> str:
    # What a restore that was killed left behind.
    _drop_half_restored(session)
    try:
        with session.cursor() as cursor:
            cursor.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(_RESTORING)))
        _fill(client, file)
        return _swap(client, session, database, _properties_of_database(client, database, file))
    except BaseException:
        _drop_half_restored(session)
        raise


def _drop_half_restored(session: Connection) -> None:
    with session.cursor() as cursor:
        cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(_RESTORING)))


def _fill(client: Client, file: Path) -> None:
    arguments = ["--exit-on-error", "--single-transaction", f"--dbname={_RESTORING}", str(file.absolute())]
    restored = client.run("pg_restore", arguments)
    if restored.returncode != 0:
        raise _restore_failed(file, restored.stderr)
    # A backup carries no statistics, and without them the first queries would choose bad plans.
    with client.session(_RESTORING) as session, session.cursor() as cursor:
        cursor.execute("ANALYZE")


def _properties_of_database(client: Client, database: str, file: Path) -> list[str]:
    """Read the grants on, and the settings of, the database itself, which pg_restore gives only to one it creates."""
    listing = client.run("pg_restore", ["--create", "--list", str(file.absolute())]).stdout
    grants = "\n".join(line for line in listing.splitlines() if re.search(r" ACL - DATABASE ", line))
    arguments = ["--create", "--use-list=/dev/stdin", "--file=-", str(file.absolute())]
    script = client.run("pg_restore", arguments, stdin=grants).stdout
    about_it = re.compile(rf"((GRANT|REVOKE) .* ON|ALTER( ROLE \S+ IN)?) DATABASE {re.escape(database)} .*;")
    return [line for line in script.splitlines() if about_it.fullmatch(line)]


def _swap(client: Client, session: Connection, database: str, properties: list[str]) -> str:
    with session.cursor() as cursor:
        cursor.execute("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYYMMDD_HH24MISS_MS')")
        (stamp,) = cursor.fetchone() or ("",)
    kept = f"{database}_before_{stamp}"
    for attempt in range(1, _ATTEMPTS_TO_SWAP + 1):
        try:
            with client.session() as swapping:
                _swap_names(swapping, database, kept, properties)
            break
        except errors.ObjectInUse:
            # A client connected again between being cut off and the renaming, which itself shuts the door.
            if attempt == _ATTEMPTS_TO_SWAP:
                raise
    return kept


def _swap_names(session: Connection, database: str, kept: str, properties: list[str]) -> None:
    """Rename both in one transaction: at every instant, and after every kill, the name leads to a whole database."""
    rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
    with session, session.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [database])
        cursor.execute(rename.format(sql.Identifier(database), sql.Identifier(kept)))
        cursor.execute(rename.format(sql.Identifier(_RESTORING), sql.Identifier(database)))
        for statement in properties:
            cursor.execute(statement)


def _restore_failed(file: Path, output: str) -> StrandlineError:
    problem = f"{file} could not be restored: {last_lines(output)}"
    return StrandlineError(problem, "the current database is as it was; put that right, or restore another backup")
