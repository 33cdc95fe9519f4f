"""Runs a step's SQL file."""

from pathlib import Path

from alembic import op

_VERSIONS = Path(__file__).parent / "versions"


def run(name: str) -> None:
    """Execute the whole file as it stands: no parameters, so that colons and percent signs mean themselves."""
    statements = (_VERSIONS / f"{name}.sql").read_text(encoding="utf-8")
    op.get_bind().exec_driver_sql(statements, execution_options={"no_parameters": True})
