"""Writes docs/configuration.md and .env.example from the settings and the venues' descriptors."""

import json
import textwrap
import tomllib
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from strandline.configuration import settings_schema
from strandline.model.setting import Setting
from strandline.strategy import DEFAULT_FILE
from strandline.venues.registry import venues

_INTRODUCTION = """\
# Configuration

Written by `strandline config docs` from the settings in the code; change those, not this page.

Nothing has to be set: without any settings Strandline runs in `sim` mode, on this machine alone.
`strandline config show` shows every value in effect and where it came from, and never a secret.

## Where settings come from

1. The environment.
2. The file `.env` in the checkout (outside a checkout: in the current directory). `.env.example` lists every variable.
   Values are taken as they are written: `${…}` is not replaced. A relative path is relative to the file's directory.
   `STRANDLINE_ENV_FILE` names another file in its place, `/dev/null` for none at all.
3. Secret files, for secrets only.
4. The default.

The environment beats `.env`. A secret that is given as a variable and as a file must be the same in both.

What is wrong, missing or contradictory stops the command with exit code 2 and one line for each fault, which names the
variable and the remedy. That includes:

- a name that starts with `STRANDLINE_` and is not in the tables below: a misspelt limit must not go unnoticed
  (`STRANDLINE_TEST_…` is left to the test suite; in Kubernetes, set `enableServiceLinks: false` if a service is called
  `strandline`);
- an empty value: remove the line instead;
- a line of `.env` that cannot be read, or a variable that stands in it twice with different values.

Some variables have a second name, from the documents that Strandline was made from. Both may be set if they agree.
"""

_KEYS_AND_SECRETS = """\
The private keys may be missing: in `testnet` and `live` only the worker that trades a venue should have that venue's
key, and `strandline doctor` says on each machine which keys it has. Without its key nothing is sent.

## Secrets as files

A secret can be kept in a file instead of a variable: the file is named as the variable, in lower case, and lies in
`STRANDLINE_SECRETS_DIR` (`/run/secrets`, where containers put them, is found by itself). White space around the content
is ignored. Only secrets can be given this way: another file whose name starts with `strandline_` is refused.
"""


_STRATEGY = """\
## Strategy

Every number that a decision depends on is a parameter of `strategy.toml`; `STRANDLINE_STRATEGY_FILE` names a file of
your own, which needs to hold only what it changes. Each is checked when it is read: an unknown name, a wrong type or a
value out of range stops the command with one line that names the file and the parameter. The hash of all of them
together travels with every decision, so that a changed number is never mistaken for another outcome.

The settings of the table before this one change the parameter of the same name, after the file. The defaults:

"""


def render() -> str:
    """Return the text of docs/configuration.md."""
    return "\n".join(
        [
            _INTRODUCTION,
            *_modes(),
            _KEYS_AND_SECRETS,
            *_venues(),
            *_tables(),
            _STRATEGY + "\n".join(_parameters()),
        ]
    )


def _modes() -> Iterator[str]:
    with_testnet = _listed([f"{venue.settings.title}'s" for venue in venues() if venue.has_testnet])
    network = f"{with_testnet} test network" if with_testnet else "none"
    refusals = [
        "in `sim` a venue's URL must be on this machine; in `live` it must not be",
        "the test network belongs to `testnet` and the main network does not",
        *(
            f"`testnet` has no {venue.settings.title}, because {venue.settings.without_testnet} has no test network"
            for venue in venues()
            if not venue.has_testnet
        ),
        "in `testnet` and `live` at least one venue is on, and the address of each that is on is known",
    ]
    yield f"""\
## Modes

`STRANDLINE_MODE` says how real it is.

| mode | market data | orders | a venue that is not mentioned is |
|---|---|---|---|
| `sim` | simulated venues on this machine | simulated venues on this machine | on |
| `paper` | real | filled by the paper executor, never sent | on |
| `testnet` | {network} | {network} | off |
| `live` | real | real money | off |
"""
    yield from textwrap.wrap(f"Settings that contradict the mode are refused: {'; '.join(refusals)}.", width=120)
    yield ""


def _venues() -> Iterator[str]:
    """Return a table row for each venue's descriptor."""
    yield from (
        "## Venues",
        "",
        "| venue | key | traded | test network | history | tokens streamed |",
        "|---|---|---|---|---|---|",
    )
    for venue in venues():
        cells = [
            venue.settings.title,
            f"`{venue.key}`",
            "on margin" if venue.margined else "for cash",
            "yes" if venue.has_testnet else "no",
            f"{venue.history_limits.candles} candles of a timeframe" if venue.history_limits else "none",
            "any number" if venue.feed_limits.subscriptions is None else f"up to {venue.feed_limits.subscriptions}",
        ]
        yield f"| {' | '.join(cells)} |"
    yield ""


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def _parameters() -> Iterator[str]:
    yield from ("| parameter | default |", "|---|---|")
    for section, inner in _sections(tomllib.loads(DEFAULT_FILE.read_text(encoding="utf-8"))):
        for name, value in inner.items():
            yield f"| `{section}{name}` | `{json.dumps(value)}` |"
    yield ""


def _sections(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the sections of strategy.toml in order, each with its parameters."""
    yield prefix, {name: value for name, value in tree.items() if not isinstance(value, dict)}
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _sections(value, f"{prefix}{name}.")


def render_example() -> str:
    """Return the text of .env.example: every variable, commented out."""
    lines = [
        "# Copy this file to .env, and remove the # before what you want to set.",
        "# Written by `strandline config example`; see docs/configuration.md.",
    ]
    for group, fields in _groups():
        lines += ["", f"# ---- {group} ----"]
        for setting in fields:
            if setting.name != "env_file":  # a file cannot name another in its place
                lines += ["", *_example(setting)]
    return "\n".join([*lines, ""])


def _groups() -> Iterator[tuple[str, Iterator[Setting]]]:
    return groupby(settings_schema().settings, key=lambda setting: setting.group)


def _tables() -> Iterator[str]:
    for group, fields in _groups():
        rows = [f"## {group}", "", "| variable | value | default | meaning |", "|---|---|---|---|"]
        yield "\n".join([*rows, *(_row(setting) for setting in fields), ""])


def _row(setting: Setting) -> str:
    names = f"`{setting.variable}`" + (f"<br>also `{setting.seed_name}`" if setting.seed_name else "")
    value = setting.format.allowed + (f"; a secret, file `{setting.secret_file}`" if setting.format.secret else "")
    return f"| {names} | {value} | {setting.default} | {setting.meaning} |"


def _example(setting: Setting) -> list[str]:
    sentences = [
        setting.meaning,
        f"Value: {setting.format.allowed}. Default: {setting.default}.",
        *([f"Also called {setting.seed_name}."] if setting.seed_name else []),
    ]
    lines = [line for sentence in sentences for line in textwrap.wrap(_plain(sentence), width=110)]
    return [*(f"# {line}" for line in lines), f"# {setting.variable}={setting.format.example}"]


def _plain(markdown: str) -> str:
    return markdown.replace("`", "")
