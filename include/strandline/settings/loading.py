"""Reads environment, `.env` and secret files, and collects every fault."""

import difflib
import io
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dotenv.parser import Binding, parse_stream
from pydantic import ValidationError

from strandline.model.errors import ConfigurationError
from strandline.settings.contradictions import ContradictionsError, OwnNames, rests_on
from strandline.settings.fields import Settings, default_env_file, default_secrets_dir
from strandline.settings.forms import Form, RefusalError
from strandline.settings.names import setting_named, settings_by_variable, settings_fields
from strandline.settings.words import PREFIX, Source

TEST_PREFIX = "STRANDLINE_TEST_"
_ENV_FILE_VARIABLE = "STRANDLINE_ENV_FILE"


@dataclass(frozen=True)
class Given:
    """A value as the user gave it: under which name, and where."""

    variable: str
    text: str = field(repr=False)
    source: Source
    place: str = "environment"
    # What a relative path is relative to; None is the current directory.
    base: Path | None = None

    @property
    def whence(self) -> str:
        """Closes a fault with the place, which for the environment goes without saying."""
        return "" if self.source is Source.ENVIRONMENT else f" ({self.place})"


@dataclass(frozen=True)
class LoadedSettings:
    """The settings, and for each that somebody gave, where it came from."""

    settings: Settings
    origins: Mapping[str, Given]


def load_settings(env_file: Path | None = None) -> Settings:
    """Read environment, `.env` and secret files; raise ConfigurationError with every fault, a line each.

    `env_file` stands in for STRANDLINE_ENV_FILE.
    """
    return load_settings_with_origins(env_file).settings


def load_settings_with_origins(env_file: Path | None = None) -> LoadedSettings:
    """As `load_settings`, and tell where each value came from."""
    loading = _Loading()
    given = loading.gather(env_file)
    settings = loading.check(given)
    if settings is None or loading.faults:
        raise ConfigurationError(loading.faults)
    return LoadedSettings(settings, given)


class _Loading:
    """One reading of all sources; it collects the faults, so that all are told at once."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        # Settings whose meant value is unknown: what rests on them is not judged.
        self.in_doubt: set[str] = set()
        self.known = settings_by_variable()

    def gather(self, env_file: Path | None) -> dict[str, Given]:
        """What was given for each setting, from the source that counts."""
        environment = self._environment(env_file)
        variables = self._env_file_values(environment) | environment
        given: dict[str, Given] = {}
        for one in variables.values():
            self._take(given, one)
        for one in self._secret_files(given):
            self._take(given, one)
        self._refuse_empty(given)
        return given

    def check(self, given: Mapping[str, Given]) -> Settings | None:
        """Type and check what was given; None when something is wrong with it."""
        values = {name: _raw_value(name, one) for name, one in given.items() if name not in self.in_doubt}
        verdict = _judge(values)
        if verdict.refused:
            for name, refusal in verdict.refused.items():
                self.faults.append(_fault(given[name], setting_named(name).form, refusal))
            self.in_doubt |= verdict.refused.keys()
            # pydantic looks for contradictions only once every value is right; the person wants them all at once.
            verdict = _judge({name: value for name, value in values.items() if name not in self.in_doubt})
        names = OwnNames({name: one.variable for name, one in given.items()})
        for line in verdict.contradictions:
            if not rests_on(line) & self.in_doubt:
                self.faults.append(line.format_map(names))
        return verdict.settings

    def _is_ours(self, variable: str) -> bool:
        if variable.startswith(TEST_PREFIX):
            return False
        # Upper-cased, so that `strandline_mode` is refused rather than overlooked.
        return variable.upper().startswith(PREFIX) or variable in self.known

    def _environment(self, env_file: Path | None) -> dict[str, Given]:
        variables = {variable: text for variable, text in os.environ.items() if self._is_ours(variable)}
        if env_file is not None:
            variables[_ENV_FILE_VARIABLE] = str(env_file)
        return {variable: Given(variable, text, Source.ENVIRONMENT) for variable, text in variables.items()}

    def _env_file_values(self, environment: Mapping[str, Given]) -> dict[str, Given]:
        said = environment.get(_ENV_FILE_VARIABLE)
        path = _usable_path("env_file", said) if said else default_env_file()
        text = self._text_of(path, _printable(path.name)) if path else None
        values: dict[str, Given] = {}
        if path and text:
            for binding in parse_stream(io.StringIO(text)):
                self._take_line(values, binding, path)
        return values

    def _take_line(self, values: dict[str, Given], binding: Binding, path: Path) -> None:
        place = f"{_printable(path.name)} line {_line_number(binding)}"
        variable, text = binding.key or "", binding.value
        if binding.error or (self._is_ours(variable) and (text is None or not variable.isidentifier())):
            # Not repeated: what is wrong with the line may be that a key stands where a name belongs.
            self.faults.append(f"{place} cannot be read; write it as NAME=value")
        elif variable == _ENV_FILE_VARIABLE:
            self.faults.append(
                f"{variable} cannot name the file that it stands in; set it in the environment ({place})"
            )
        elif self._is_ours(variable):
            one = Given(variable, text or "", Source.ENV_FILE, place, path.parent)
            earlier = values.setdefault(variable, one)
            if earlier.text != one.text:
                self._refuse_both(earlier, one)

    def _secret_files(self, given: Mapping[str, Given]) -> Iterator[Given]:
        said = given.get("secrets_dir")
        directory = _usable_path("secrets_dir", said) if said else default_secrets_dir()
        try:
            files = sorted(directory.iterdir()) if directory else []
        except OSError as error:
            self.faults.append(f"{_printable(str(directory))} cannot be read ({error.strerror}); let this user read it")
            return
        secrets = {setting.secret_file: setting for setting in settings_fields() if setting.form.secret}
        for file in files:
            if file.name in secrets:
                place = f"secret file {file.name}"
                text = self._text_of(file, place)
                if text is not None:
                    yield Given(secrets[file.name].variable, text.strip(), Source.SECRETS_DIRECTORY, place)
            elif self._is_ours(file.name.upper()):
                self.faults.append(f"secret file {_printable(file.name)} is not a secret{_remedy(file.name, secrets)}")

    def _text_of(self, file: Path, name: str) -> str | None:
        try:
            return file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            self.faults.append(f"{name} is not UTF-8 text; save it as UTF-8")
        except OSError as error:
            self.faults.append(f"{name} cannot be read ({error.strerror}); make it a file that this user may read")
        return None

    def _take(self, given: dict[str, Given], one: Given) -> None:
        setting = self.known.get(one.variable)
        if setting is None:
            remedy = _remedy(one.variable, [variable for variable in self.known if variable.startswith(PREFIX)])
            self.faults.append(f"{_printable(one.variable)} is not a setting{remedy}{one.whence}")
            return
        earlier = given.setdefault(setting.name, one)
        if not _agree(setting.form, earlier.text, one.text):
            self._refuse_both(earlier, one)

    def _refuse_both(self, earlier: Given, later: Given) -> None:
        self.faults.append(
            f"{earlier.variable} ({earlier.place}) and {later.variable} ({later.place}) "
            "have different values; keep one of them"
        )
        if setting := self.known.get(later.variable):
            self.in_doubt.add(setting.name)

    def _refuse_empty(self, given: Mapping[str, Given]) -> None:
        for name, one in given.items():
            if not one.text.strip() and name not in self.in_doubt:
                self.faults.append(f"{one.variable} is empty; remove the line or give a value{one.whence}")
                self.in_doubt.add(name)


@dataclass(frozen=True)
class _Verdict:
    settings: Settings | None = None
    refused: Mapping[str, ValueError] = field(default_factory=dict)
    contradictions: tuple[str, ...] = ()


def _judge(values: Mapping[str, Any]) -> _Verdict:
    try:
        return _Verdict(Settings(**values))
    except ValidationError as error:
        reasons = [(detail["loc"], detail["ctx"]["error"]) for detail in error.errors(include_input=False)]
    contradictions = [reason.lines for _, reason in reasons if isinstance(reason, ContradictionsError)]
    refused = {str(place[0]): reason for place, reason in reasons if place}
    return _Verdict(None, refused, *contradictions)


def _fault(given: Given, form: Form, refusal: ValueError) -> str:
    value = f"is {given.text!r}, which is" if form.echoed else "is"
    return f"{given.variable} {value} {refusal}{given.whence}"


def _raw_value(name: str, given: Given) -> str:
    """The text to be parsed; a relative path in `.env` is meant from there, wherever the command is run."""
    relative = given.base and setting_named(name).form.names_a_path and not given.text.startswith("~")
    return str(given.base / given.text) if given.base and relative else given.text


def _usable_path(name: str, given: Given) -> Path | None:
    """The path that is named; None when it is refused, which the check reports."""
    try:
        return Path(str(setting_named(name).form.read(_raw_value(name, given)))) if given.text.strip() else None
    except RefusalError:
        return None


def _agree(form: Form, one: str, other: str) -> bool:
    try:
        return one == other or form.read(one) == form.read(other)
    except RefusalError:
        return False


def _remedy(name: str, candidates: Iterable[str]) -> str:
    # Without the prefix, which would make every name resemble every other.
    start = len(PREFIX)
    tails = {candidate[start:].upper(): candidate for candidate in candidates}
    close = difflib.get_close_matches(name[start:].upper(), tails, n=1)
    return f"; did you mean {tails[close[0]]}?" if close else "; remove it, or see `strandline config docs`"


def _line_number(binding: Binding) -> int:
    # The parser counts blank lines to the line that follows them.
    text = binding.original.string
    blank = text[: len(text) - len(text.lstrip())]
    return binding.original.line + blank.count("\n")


def _printable(text: str) -> str:
    """Keeps a fault on one line, whatever a name is made of."""
    return text if text.isprintable() else repr(text)
