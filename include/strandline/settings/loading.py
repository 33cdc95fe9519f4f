"""Reads environment, `.env` and secret files, and collects every fault."""

import difflib
import io
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dotenv.parser import Binding, parse_stream

from strandline.model.errors import ConfigurationError
from strandline.model.setting import PREFIX, InvalidValueError, ValueFormat
from strandline.settings.building import check_values
from strandline.settings.constants import Source
from strandline.settings.fields import Settings, default_env_file, default_secrets_dir
from strandline.settings.schema import Schema
from strandline.settings.validation import VariableNames, settings_named

TEST_PREFIX = "STRANDLINE_TEST_"
_ENV_FILE_VARIABLE = "STRANDLINE_ENV_FILE"


@dataclass(frozen=True)
class Given:
    """A value as the user gave it, with the variable's name and where it was found."""

    variable: str
    text: str = field(repr=False)
    source: Source
    location: str = "environment"
    # What a relative path is relative to; None is the current directory.
    base: Path | None = None

    @property
    def suffix(self) -> str:
        """The end of a fault: the location, unless it is the environment."""
        return "" if self.source is Source.ENVIRONMENT else f" ({self.location})"


@dataclass(frozen=True)
class LoadedSettings:
    """The settings, and the source of each that was given."""

    settings: Settings
    origins: Mapping[str, Given]


def load_settings(schema: Schema, env_file: Path | None = None) -> LoadedSettings:
    """Read environment, `.env` and secret files; raise ConfigurationError with every fault, a line each.

    `env_file` replaces STRANDLINE_ENV_FILE.
    """
    loading = _Loading(schema)
    given = loading.gather(env_file)
    settings = loading.check(given)
    if loading.faults:
        raise ConfigurationError(loading.faults)
    return LoadedSettings(settings, given)


class _Loading:
    """Reads all sources once and collects the faults, so that all are reported together."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.faults: list[str] = []
        # Settings whose intended value is not certain: contradictions with them are not reported.
        self.in_doubt: set[str] = set()

    def gather(self, env_file: Path | None) -> dict[str, Given]:
        """Collect each setting's value from the source that has precedence."""
        environment = self._environment(env_file)
        variables = self._env_file_values(environment) | environment
        given: dict[str, Given] = {}
        for one in variables.values():
            self._take(given, one)
        for one in self._secret_files(given):
            self._take(given, one)
        self._refuse_empty(given)
        return given

    def check(self, given: Mapping[str, Given]) -> Settings:
        """Convert the values and look for contradictions; adds to the faults."""
        values = {name: self._raw_value(name, one) for name, one in given.items() if name not in self.in_doubt}
        settings, invalid, conflicts = check_values(self.schema, values)
        for name in self.schema.by_name:
            if name in invalid:
                self.faults.append(_fault(given[name], self.schema.by_name[name].format, invalid[name]))
        self.in_doubt |= invalid.keys()
        names = VariableNames({name: one.variable for name, one in given.items()})
        for line in conflicts:
            if not settings_named(line) & self.in_doubt:
                self.faults.append(line.format_map(names))
        return settings

    def _raw_value(self, name: str, given: Given) -> str:
        """The text to parse; a relative path in `.env` is relative to that file."""
        relative = self.schema.by_name[name].format.names_a_path and not given.text.startswith("~")
        return str(given.base / given.text) if given.base and relative else given.text

    def _usable_path(self, name: str, given: Given) -> Path | None:
        """The path that a setting names; None if it is invalid, which `check` reports."""
        try:
            path = self.schema.by_name[name].format.read(self._raw_value(name, given))
        except InvalidValueError:
            return None
        return Path(str(path)) if given.text.strip() else None

    def _is_strandlines(self, variable: str) -> bool:
        if variable.startswith(TEST_PREFIX):
            return False
        # Upper-cased, so that `strandline_mode` is refused instead of ignored.
        return variable.upper().startswith(PREFIX) or variable in self.schema.by_variable

    def _environment(self, env_file: Path | None) -> dict[str, Given]:
        variables = {variable: text for variable, text in os.environ.items() if self._is_strandlines(variable)}
        if env_file is not None:
            variables[_ENV_FILE_VARIABLE] = str(env_file)
        return {variable: Given(variable, text, Source.ENVIRONMENT) for variable, text in variables.items()}

    def _env_file_values(self, environment: Mapping[str, Given]) -> dict[str, Given]:
        named = environment.get(_ENV_FILE_VARIABLE)
        path = self._usable_path("env_file", named) if named else default_env_file()
        text = self._text_of(path, _printable(path.name)) if path else None
        values: dict[str, Given] = {}
        if path and text:
            for binding in parse_stream(io.StringIO(text)):
                self._take_line(values, binding, path)
        return values

    def _take_line(self, values: dict[str, Given], binding: Binding, path: Path) -> None:
        location = f"{_printable(path.name)} line {_line_number(binding)}"
        variable, text = binding.key or "", binding.value
        if binding.error or (self._is_strandlines(variable) and (text is None or not variable.isidentifier())):
            # The line is not repeated: a key may stand where the name belongs.
            self.faults.append(f"{location} cannot be read; write it as NAME=value")
        elif variable == _ENV_FILE_VARIABLE:
            self.faults.append(
                f"{variable} cannot name the file that it stands in; set it in the environment ({location})"
            )
        elif self._is_strandlines(variable):
            one = Given(variable, text or "", Source.ENV_FILE, location, path.parent)
            earlier = values.setdefault(variable, one)
            if earlier.text != one.text:
                self._refuse_both(earlier, one)

    def _secret_files(self, given: Mapping[str, Given]) -> Iterator[Given]:
        named = given.get("secrets_dir")
        directory = self._usable_path("secrets_dir", named) if named else default_secrets_dir()
        try:
            files = sorted(directory.iterdir()) if directory else []
        except OSError as error:
            self.faults.append(f"{_printable(str(directory))} cannot be read ({error.strerror}); let this user read it")
            return
        secrets = {setting.secret_file: setting for setting in self.schema.settings if setting.format.secret}
        for file in files:
            if file.name in secrets:
                location = f"secret file {file.name}"
                text = self._text_of(file, location)
                if text is not None:
                    yield Given(secrets[file.name].variable, text.strip(), Source.SECRETS_DIRECTORY, location)
            elif self._is_strandlines(file.name.upper()):
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
        setting = self.schema.by_variable.get(one.variable)
        if setting is None:
            remedy = _remedy(
                one.variable, [variable for variable in self.schema.by_variable if variable.startswith(PREFIX)]
            )
            self.faults.append(f"{_printable(one.variable)} is not a setting{remedy}{one.suffix}")
            return
        earlier = given.setdefault(setting.name, one)
        if not _agree(setting.format, earlier.text, one.text):
            self._refuse_both(earlier, one)

    def _refuse_both(self, earlier: Given, later: Given) -> None:
        self.faults.append(
            f"{earlier.variable} ({earlier.location}) and {later.variable} ({later.location}) "
            "have different values; keep one of them"
        )
        if setting := self.schema.by_variable.get(later.variable):
            self.in_doubt.add(setting.name)

    def _refuse_empty(self, given: Mapping[str, Given]) -> None:
        for name, one in given.items():
            if not one.text.strip() and name not in self.in_doubt:
                self.faults.append(f"{one.variable} is empty; remove the line or give a value{one.suffix}")
                self.in_doubt.add(name)


def _fault(given: Given, value_format: ValueFormat, error: InvalidValueError) -> str:
    value = f"is {given.text!r}, which is" if value_format.echoed else "is"
    return f"{given.variable} {value} {error}{given.suffix}"


def _agree(value_format: ValueFormat, one: str, other: str) -> bool:
    try:
        return one == other or value_format.read(one) == value_format.read(other)
    except InvalidValueError:
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
    """The text on one line: quoted and escaped if it has unprintable characters."""
    return text if text.isprintable() else repr(text)
