"""Reads Hyperliquid's archives of trades: node_trades, node_fills, node_fills_by_block."""

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from io import BufferedIOBase
from pathlib import Path
from typing import Final

import lz4.frame  # type: ignore[import-untyped]

from strandline.venues.archive import ArchivedTrade, BadFileError, Dataset
from strandline.venues.hyperliquid.archive_records import read_block, read_fill, read_trade

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
        number, batch = 0, list[ArchivedTrade]()
        try:
            with _opened(path) as lines:
                for number, line in enumerate(lines, start=1):
                    batch += decode(line, tokens)
                    if number % _LINES_AT_ONCE == 0:
                        yield batch
                        batch = []
        except (ValueError, RecursionError) as error:
            raise BadFileError(f"{path}, line {number}: no record of {dataset.name}: {error}") from error
        except (EOFError, RuntimeError) as error:
            # lz4 has no exception of its own.
            raise BadFileError(f"{path} is damaged or cut off after line {number}: {error}") from error
        except OSError as error:
            raise BadFileError(f"{path} cannot be read: {error}") from error
        yield batch


def _opened(path: Path) -> BufferedIOBase:
    opened: BufferedIOBase = lz4.frame.open(path, "rb") if path.suffix == ".lz4" else path.open("rb")
    return opened
