"""Where `up` keeps what under the home directory."""

from dataclasses import dataclass
from pathlib import Path

from strandline.cli.up.postgres import POSTGRES


@dataclass(frozen=True)
class Paths:
    """One home, and so at most one running system."""

    home: Path

    def make(self) -> None:
        """Create what is missing, closed to others: keys and passwords are kept here."""
        for directory in (self.home, self.state, self.airflow, self.airflow / "config", self.logs):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    @property
    def postgres(self) -> Path:
        """The embedded server, which `strandline pg` knows too."""
        return self.home / "postgres"

    @property
    def airflow(self) -> Path:
        """AIRFLOW_HOME."""
        return self.home / "airflow"

    @property
    def logs(self) -> Path:
        """One file per component."""
        return self.home / "logs"

    @property
    def state(self) -> Path:
        """What `up` itself remembers."""
        return self.home / "up"

    def log(self, component: str) -> Path:
        """The log of one component; Postgres writes its own."""
        return self.postgres / "server.log" if component == POSTGRES else self.logs / f"{component}.log"
