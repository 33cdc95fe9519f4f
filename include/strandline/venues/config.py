"""What a venue's code is given: its settings, the strategy's execution limits, the clock, and how real it is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from strandline.model.errors import ConfigurationError
from strandline.model.exact import Money
from strandline.model.setting import variable_name
from strandline.model.strategy import Execution


class MissingSettingError(ConfigurationError):
    """Raised where a venue needs a setting that has no value in this mode."""

    def __init__(self, name: str) -> None:
        self.variable = variable_name(name)
        super().__init__([f"{self.variable} is not set; set it, or start everything with strandline up, which does"])


@dataclass(frozen=True)
class VenueConfig:
    """One venue's configuration.

    `values` are its settings by name, those that have a value: secrets among them, so they are kept out of every repr.
    `opening_cash` is what a paper account starts with. `processes` is how many share the venue's limits of market data.
    """

    clock: Callable[[], datetime]
    limits: Execution
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    address: str | None = None
    mainnet: bool = False
    paper: bool = False
    opening_cash: Money | None = None
    processes: int = 1

    def get(self, name: str) -> str | None:
        """The value of a setting, if it has one."""
        return self.values.get(name)

    def require(self, name: str) -> str:
        """The value of a setting; raises `MissingSettingError`."""
        if name not in self.values:
            raise MissingSettingError(name)
        return self.values[name]
