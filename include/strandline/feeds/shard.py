"""Which sidecar a process is: the part of the instruments that it streams, and which replica of those that do."""

from dataclasses import dataclass
from typing import Final

from strandline.model.venue import VenueKey
from strandline.venues.stable_hash import stable_hash

MOST_SHARDS: Final = 8
"""With more, the shares of a venue's limits would be too small to open a socket each."""


@dataclass(frozen=True)
class Shard:
    """Part `index` of `count`, from 0. Which instruments it has depends on their names alone."""

    index: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.count <= MOST_SHARDS:
            raise ValueError(f"a shard is i/n with 0 <= i < n <= {MOST_SHARDS}")

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Read i/n; raise ValueError."""
        index, _, count = text.partition("/")
        return cls(int(index), int(count))

    def owns(self, venue: VenueKey, token: str) -> bool:
        """Whether this shard streams the token."""
        return stable_hash(f"{venue}/{token}") % self.count == self.index

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


@dataclass(frozen=True)
class SidecarName:
    """What tells one sidecar from the others."""

    shard: Shard = Shard()
    replica: str = "a"
