"""Writes docs/schema.md from the comments in a migrated database and the table of writers."""

from collections.abc import Iterator

from sqlalchemy import Connection, text

from strandline.store.migrate import VERSION_TABLE
from strandline.store.writers import WRITES

_INTRODUCTION = """\
# The schema

Written by `make docs` from a migrated database; change the comments in `include/strandline/store/migrations/versions`,
not this page.

Every table belongs to `strandline_owner`. Its writers are the parts of the code that may change it, each with the
statements that it may make; `include/strandline/store/writers.py` says in which package they stand and as which role
they connect. `strandline_ui` reads everything and changes nothing.

Nobody can change or delete the rows of a table that is called append-only: triggers refuse it, to superusers too.
"""
_RELATIONS = text("""
    SELECT oid, relname, relkind::text AS kind, obj_description(oid, 'pg_class') AS comment FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v') AND NOT relispartition
      AND relname <> :version_table
    ORDER BY oid
""")
_COLUMNS = text("""
    SELECT attname, format_type(atttypid, atttypmod) AS type, attnotnull, col_description(attrelid, attnum) AS comment
    FROM pg_attribute WHERE attrelid = :relation AND attnum > 0 AND NOT attisdropped ORDER BY attnum
""")
_FUNCTIONS = text("""
    SELECT oid::regprocedure::text AS signature, obj_description(oid, 'pg_proc') AS comment FROM pg_proc
    WHERE pronamespace = 'public'::regnamespace ORDER BY 1
""")
_TYPES = text("""
    SELECT typname, string_agg(enumlabel, ', ' ORDER BY enumsortorder) AS labels
    FROM pg_type t JOIN pg_enum ON enumtypid = t.oid WHERE typnamespace = 'public'::regnamespace
    GROUP BY typname ORDER BY typname
""")


def schema_docs(connection: Connection) -> str:
    """The whole page, with tables in the order in which the migrations make them."""
    return "\n".join([_INTRODUCTION, *_tables(connection), *_views(connection), *_functions(connection)])


def _tables(connection: Connection) -> Iterator[str]:
    yield "## Tables\n"
    for relation in connection.execute(_RELATIONS, {"version_table": VERSION_TABLE}).all():
        if relation.kind != "v":
            yield f"### {relation.relname}\n\n{relation.comment}\n\nWritten by {_writers(relation.relname)}.\n"
            yield "| column | type | |\n|---|---|---|"
            for column in connection.execute(_COLUMNS, {"relation": relation.oid}):
                nullable = "" if column.attnotnull else ", may be null"
                yield f"| `{column.attname}` | {column.type}{nullable} | {_in_a_cell(column.comment)} |"
            yield ""


def _views(connection: Connection) -> Iterator[str]:
    yield "## Views\n"
    for relation in connection.execute(_RELATIONS, {"version_table": VERSION_TABLE}).all():
        if relation.kind == "v":
            columns = connection.execute(_COLUMNS, {"relation": relation.oid})
            yield f"### {relation.relname}\n\n{relation.comment}\n"
            yield f"Columns: {', '.join(f'`{column.attname}`' for column in columns)}.\n"


def _functions(connection: Connection) -> Iterator[str]:
    yield "## Functions\n\n| function | |\n|---|---|"
    for function in connection.execute(_FUNCTIONS):
        yield f"| `{function.signature}` | {_in_a_cell(function.comment)} |"
    yield "\n## Enumerations\n\n| type | values |\n|---|---|"
    for enumeration in connection.execute(_TYPES):
        yield f"| `{enumeration.typname}` | {enumeration.labels} |"
    yield ""


def _writers(table: str) -> str:
    writers = (f"{writer} ({', '.join(sorted(verbs))})" for writer, verbs in sorted(WRITES[table].items()))
    return ", ".join(writers)


def _in_a_cell(comment: str) -> str:
    return comment.replace("|", "\\|")
