"""Finds every statement in the code that writes to a table, and the room that it stands in."""

import ast
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

_TABLE = r"(?P<table>\"?[A-Za-z_][\w.\"]*|\{)"
_WRITES = (
    re.compile(
        r"(?P<verb>INSERT\s+INTO|DELETE\s+FROM(?:\s+ONLY)?|MERGE\s+INTO|TRUNCATE(?:\s+TABLE)?|COPY)\s+" + _TABLE
    ),
    re.compile(r"(?P<verb>UPDATE)(?:\s+ONLY)?\s+" + _TABLE + r"(?:\s+(?:AS\s+)?\w+)?\s+SET\b"),
)
_UPSERT = re.compile(r"INSERT\s+INTO\s+" + _TABLE + r"(?:(?!INSERT\s+INTO).)*?\s(?P<verb>UPDATE)\s+SET\b", re.DOTALL)
"""`INSERT … ON CONFLICT … DO UPDATE SET` updates the table too."""
_ALIASES = {"COPY": "INSERT", "MERGE": "INSERT"}
_COPY = "copy_records_to_table"
_SCRATCH = "staged_"
"""Temporary tables begin with this; they belong to nobody."""


class Write(NamedTuple):
    """One statement."""

    path: Path
    line: int
    room: str
    verb: str
    table: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.verb} {self.table} in {self.room}"


def writes_in(library: Path) -> Iterator[Write]:
    """All statements of the library but the migrations', which are the owner's."""
    for path in sorted(library.rglob("*.py")):
        inside = path.relative_to(library)
        if inside.parts[:2] != ("store", "migrations"):
            for line, sql in _texts(ast.parse(path.read_text())):
                for match in chain.from_iterable(write.finditer(sql) for write in (*_WRITES, _UPSERT)):
                    table = match["table"].strip('"').removeprefix("public.")
                    if not table.startswith(_SCRATCH):
                        verb = match["verb"].split()[0]
                        yield Write(path, line, inside.parts[0], _ALIASES.get(verb, verb), table)


def _texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every text that is not a docstring; in an f-string, what is computed becomes a brace.

    asyncpg's COPY is a call.
    """
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [str(part.value) if isinstance(part, ast.Constant) else "{" for part in node.values]
            yield node.lineno, "".join(parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose | inner:
            yield node.lineno, node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == _COPY:
            named = [part.value for part in node.args[:1] if isinstance(part, ast.Constant)]
            yield node.lineno, f"COPY {str(named[0]) if named else '{'}"
