"""Reads Hyperliquid's archive of asset contexts: asset_ctxs, a CSV file in LZ4 for each day."""

import csv
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Final

from strandline.venues.archive import ArchivedContext, BadFileError
from strandline.venues.hyperliquid.archive_files import opened, read_errors

FOLDER: Final = "asset_ctxs"
_COLUMNS: Final = ("time", "coin", "funding", "open_interest", "mark_px", "oracle_px", "mid_px", "premium")
_AT_ONCE: Final = 20_000


def contexts_path_of(folder: Path, day: datetime) -> Path | None:
    """Find it at asset_ctxs/<date>.csv.lz4, compressed or not; the folder may be this one."""
    roots = [folder / FOLDER] + ([folder] if folder.name == FOLDER else [])
    paths = (root / f"{day:%Y%m%d}.csv{suffix}" for root in roots for suffix in (".lz4", ""))
    return next((path for path in paths if path.is_file()), None)


def read_contexts(path: Path, tokens: Collection[str]) -> Iterator[list[ArchivedContext]]:
    """Decompress and decode line by line, in batches; raises `BadFileError`."""
    batch = list[ArchivedContext]()
    with read_errors(path, FOLDER) as line, opened(path) as file, TextIOWrapper(file, "utf-8-sig", newline="") as text:
        rows = csv.DictReader(text)
        missing = [name for name in _COLUMNS if name not in (rows.fieldnames or ())]
        if missing:
            raise BadFileError(f"{path}, line 1: no column {', '.join(missing)}, as asset_ctxs has them")
        for row in rows:
            line.number = rows.line_num
            if row["coin"] in tokens:
                batch.append(_context(row))
            if len(batch) == _AT_ONCE:
                yield batch
                batch = []
    yield batch


def _context(row: Mapping[str, str]) -> ArchivedContext:
    at = datetime.fromisoformat(row["time"])
    return ArchivedContext(
        ts=at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC),
        token=row["coin"],
        funding_rate=float(row["funding"]),
        open_interest=float(row["open_interest"]),
        mark_price=float(row["mark_px"]),
        oracle_price=float(row["oracle_px"]),
        mid_price=float(row["mid_px"]) if row["mid_px"] else None,
        premium=float(row["premium"]) if row["premium"] else None,
    )
