"""`strandline config`: shows the settings, and writes their documentation."""

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from strandline.settings import LoadedSettings, Settings

app = typer.Typer(
    no_args_is_help=True,
    help="Show the settings in effect, and write the pages that document them. "
    "Settings are environment variables that start with STRANDLINE_, or lines of the file .env.",
)


@app.command()
def show() -> None:
    """Show every setting, its value, and where it came from; exits 2 when one is wrong. Secrets stay hidden."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from strandline.configuration import load_settings_with_origins

    table = Table("variable", "value", "from")
    for row in _rows(load_settings_with_origins()):
        # As Text, so that brackets in a path are not taken for markup.
        table.add_row(*(Text(cell, overflow="fold") for cell in row))
    Console().print(table)


@app.command()
def docs() -> None:
    """Print docs/configuration.md: every variable, what it may be, and what it does."""
    from strandline.cli.configuration_docs import render

    print(render(), end="")


@app.command()
def example() -> None:
    """Print .env.example: every variable, commented out, to be copied to .env."""
    from strandline.cli.configuration_docs import render_example

    print(render_example(), end="")


def _rows(loaded: "LoadedSettings") -> list[tuple[str, str, str]]:
    from strandline.configuration import settings_schema

    rows = []
    values = vars(loaded.settings) | _venue_values(loaded.settings)
    for setting in settings_schema().settings:
        given = loaded.origins.get(setting.name)
        other_name = f" ({given.variable})" if given and given.variable != setting.variable else ""
        origin = f"{given.source}{other_name}" if given else "default"
        rows.append((setting.variable, _shown(values[setting.name]), origin))
    return rows


def _venue_values(settings: "Settings") -> dict[str, object]:
    """Return the venues' settings: as given, else the default in this mode."""
    values: dict[str, object] = {}
    for venue in settings.venues:
        values[venue.enabled] = settings.venue_enabled(venue)
        values[venue.initial_value] = settings.initial_value(venue)
        values |= {setting.name: setting.defaults.get(settings.mode) for setting in venue.fields}
    return values | dict(settings.venue_values)


def _shown(value: object) -> str:
    from pydantic import SecretStr

    if value is None:
        return "not set"
    if isinstance(value, SecretStr):
        return "set"
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    # A path may hold bytes that no terminal can print.
    return text if text.isprintable() else ascii(text)
