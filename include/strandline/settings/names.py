"""The settings by name: what the docs, the commands and the faults say about each."""

from dataclasses import dataclass
from typing import get_args

from strandline.settings.fields import Settings
from strandline.settings.forms import Form
from strandline.settings.words import variable_name


@dataclass(frozen=True)
class SettingField:
    """What the docs, the commands and the faults say about one setting."""

    name: str
    variable: str
    seed_name: str | None
    form: Form
    group: str
    meaning: str
    default_in_words: str

    @property
    def secret_file(self) -> str:
        """The name of its file in the secrets directory."""
        return self.variable.lower()


def settings_fields() -> tuple[SettingField, ...]:
    """All settings, in the order of the docs."""
    return tuple(setting_named(name) for name in Settings.model_fields)


def setting_named(name: str) -> SettingField:
    """One setting."""
    info = Settings.model_fields[name]
    nested = [mark for part in get_args(info.annotation) for mark in getattr(part, "__metadata__", ())]
    form = next(mark for mark in [*info.metadata, *nested] if isinstance(mark, Form))
    docs = info.json_schema_extra
    if not isinstance(docs, dict):
        raise TypeError(name)
    return SettingField(
        name=name,
        variable=variable_name(name),
        seed_name=str(docs["seed_name"]) if docs["seed_name"] else None,
        form=form,
        group=str(docs["group"]),
        meaning=str(info.description),
        default_in_words=str(docs["default_in_words"]),
    )


def settings_by_variable() -> dict[str, SettingField]:
    """Every name that a variable may have; the seeds' names come after ours."""
    fields = settings_fields()
    own = {setting.variable: setting for setting in fields}
    return own | {setting.seed_name: setting for setting in fields if setting.seed_name}
