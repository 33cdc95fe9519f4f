"""Reads Hyperliquid's archives: node_trades, node_fills, node_fills_by_block, and asset_ctxs."""

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from strandline.venues.archive import ArchivedContext, ArchivedTrade, Dataset
from strandline.venues.hyperliquid.archive_files import opened, read_errors
from strandline.venues.hyperliquid.archive_records import read_block, read_fill, read_trade
from strandline.venues.hyperliquid.asset_contexts import contexts_path_of, read_contexts

_BY_BLOCK: Final = Dataset("node_fills_by_block", derived_ids=False)
_FILLS: Final = Dataset("node_fills", derived_ids=False)
_TRADES: Final = Dataset("node_trades", derived_ids=True)
_READERS: Final[Mapping[Dataset, Callable[[bytes, Collection[str]], list[ArchivedTrade]]]] = {
    _BY_BLOCK: read_block,
    _FILLS: read_fill,
    _TRADES: read_trade,
}
_LINES_AT_ONCE: Final = 20_000


class HyperliquidArchive:
    """What the bucket hl-mainnet-node-data has, or a node of one's own has written."""

    datasets = (_BY_BLOCK, _FILLS, _TRADES)

    def path_of(self, folder: Path, dataset: Dataset, hour: datetime) -> Path | None:
        """Find it at <dataset>/hourly/<date>/<hour>, compressed or not; the folder may be one of these."""
        roots = [folder / dataset.name / "hourly", folder / dataset.name]
        if folder.name == dataset.name:
            roots += [folder / "hourly", folder]
        elif (folder.name, folder.parent.name) == ("hourly", dataset.name):
            roots.append(folder)
        names = (f"{hour.hour}.lz4", f"{hour.hour}")
        paths = (root / f"{hour:%Y%m%d}" / name for root in roots for name in names)
        return next((path for path in paths if path.is_file()), None)

    def read(self, path: Path, dataset: Dataset, tokens: Collection[str]) -> Iterator[list[ArchivedTrade]]:
        """Decompress and decode line by line: a file is much larger than the memory that this takes."""
        decode = _READERS[dataset]
        batch = list[ArchivedTrade]()
        with read_errors(path, dataset.name) as at, opened(path) as lines:
            for at.number, line in enumerate(lines, start=1):
                batch += decode(line, tokens)
                if at.number % _LINES_AT_ONCE == 0:
                    yield batch
                    batch = []
        yield batch

    def contexts_path_of(self, folder: Path, day: datetime) -> Path | None:
        """Find the file of a day's asset contexts."""
        return contexts_path_of(folder, day)

    def read_contexts(self, path: Path, tokens: Collection[str]) -> Iterator[list[ArchivedContext]]:
        """Read the contexts of these tokens in batches."""
        return read_contexts(path, tokens)
