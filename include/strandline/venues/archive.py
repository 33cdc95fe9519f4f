"""The protocol of a venue's archive: files of past trades for each hour, and of asset contexts for each day."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol

from strandline.model.errors import StrandlineError


class ArchivedTrade(NamedTuple):
    """A trade as one record of the archive tells it; `side` is the aggressor's, b or s.

    Several records may tell of the same trade, even in different files. Within a file that of the lowest `rank` counts.
    """

    ts: datetime
    token: str
    trade_id: int
    price: float
    size: float
    side: bytes
    rank: int


class ArchivedContext(NamedTuple):
    """What a venue said of a perpetual at an instant; `funding_rate` is that of an hour, as a fraction."""

    ts: datetime
    token: str
    funding_rate: float
    open_interest: float
    mark_price: float
    oracle_price: float
    mid_price: float | None
    premium: float | None


class Dataset(NamedTuple):
    """One kind of file in the archive.

    Where ids are derived, a trade has another id than in a dataset with the venue's own: the two must not mix.
    """

    name: str
    derived_ids: bool


class BadFileError(StrandlineError):
    """A file that cannot be read; the message names it, and the line."""

    def __init__(self, problem: str, remedy: str = "nothing of it was stored; fetch or write it again") -> None:
        super().__init__(problem, remedy)


class Archive(Protocol):
    """Past trades of one venue, and what else it said then."""

    @property
    def datasets(self) -> Sequence[Dataset]:
        """What the archive has, the best first: an hour is taken from the best that has a file for it."""

    def path_of(self, folder: Path, dataset: Dataset, hour: datetime) -> Path | None:
        """Find the file of an hour, in the archive's own layout; None if it is not there."""

    def read(self, path: Path, dataset: Dataset, tokens: Collection[str]) -> Iterator[list[ArchivedTrade]]:
        """Read the trades of these tokens in batches, in the order of the file; raises `BadFileError`."""

    def contexts_path_of(self, folder: Path, day: datetime) -> Path | None:
        """Find the file of a day's asset contexts; None if it is not there."""

    def read_contexts(self, path: Path, tokens: Collection[str]) -> Iterator[list[ArchivedContext]]:
        """Read the contexts of these tokens in batches, in the order of the file; raises `BadFileError`."""
