"""Shows what data there are: a table of facts, and a picture with a line of blocks for each symbol."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from strandline.bars.coverage import MINUTE, Coverage, Span
from strandline.retention.manifest import ArchivedFile

JSON_BUCKETS: Final = 48
_BLOCKS: Final = "▁▂▃▄▅▆▇"
_WHOLE, _NOTHING, _BEFORE = "█", "·", " "
_GOOD_SHARE: Final = 0.99
_UNITS: Final = ((timedelta(days=1), "d"), (timedelta(hours=1), "h"), (MINUTE, "m"), (timedelta(seconds=1), "s"))
_NAME_WIDTH: Final = 17
_PERCENT_WIDTH: Final = 8
_FEWEST_BLOCKS: Final = 10


def facts(found: Sequence[Coverage], archived: Counter[int], as_of: datetime) -> Table:
    """The table: a line per symbol."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1))
    table.add_column("symbol", no_wrap=True)
    table.add_column("from", no_wrap=True)
    for name in ("age", "minutes", "missing", "damaged", "repaired", "compared", "archived"):
        table.add_column(name, justify="right", no_wrap=True)
    for one, name in zip(found, _names(found), strict=True):
        table.add_row(
            name,
            f"{one.first_bar:%Y-%m-%d %H:%M}",
            _age(as_of - one.newest_at),
            f"{one.bars:,}",
            _count(one.missing),
            _count(one.incomplete),
            f"{one.repaired:,}",
            "never" if one.compared_at is None else _age(as_of - one.compared_at),
            f"{archived[one.instrument_id]} d",
        )
    return table


def picture(found: Sequence[Coverage], span: Span) -> Iterator[Text]:
    """A line per symbol."""
    names = _names(found)
    name_width = min(_NAME_WIDTH, max(map(len, names)) + 1)
    count = len(span.buckets)
    start, end = f"{span.since:%Y-%m-%d %H:%M}", f"{span.until:%Y-%m-%d %H:%M}"
    scale = f"{start}{end:>{count - len(start)}}" if count > len(start) + len(end) else start
    yield Text(" " * name_width + scale, style="bold")
    for one, name in zip(found, names, strict=True):
        line = Text(name[: name_width - 1].ljust(name_width))
        for share in one.shares:
            line.append(*block(share))
        share = one.bars / one.expected if one.expected else 0.0
        line.append(f"{_percent(share):>{_PERCENT_WIDTH}}")
        yield line


def buckets_for(width: int) -> int:
    """How many blocks fit on a line of the terminal."""
    return max(_FEWEST_BLOCKS, width - _NAME_WIDTH - _PERCENT_WIDTH)


def block(share: float | None) -> tuple[str, str]:
    """The character and the colour of a share; only a whole bucket is a whole block, only an empty one is a dot."""
    if share is None:
        return _BEFORE, ""
    if share >= 1:
        return _WHOLE, "green"
    if share <= 0:
        return _NOTHING, "red"
    colour = "green" if share >= _GOOD_SHARE else "yellow"
    return _BLOCKS[int(share * len(_BLOCKS))], colour


def as_json(
    found: Sequence[Coverage], files: Sequence[ArchivedFile], archived: Counter[int], span: Span, as_of: datetime
) -> dict[str, Any]:
    """The same for programs."""
    return {
        "as_of": as_of.isoformat(),
        "from": span.since.isoformat(),
        "to": span.until.isoformat(),
        "bucket_minutes": span.bucket // MINUTE,
        "symbols": [
            {
                "instrument_id": one.instrument_id,
                "venue": one.venue,
                "symbol": one.symbol,
                "first_bar": one.first_bar.isoformat(),
                "newest_at": one.newest_at.isoformat(),
                "age_seconds": (as_of - one.newest_at).total_seconds(),
                "minutes": one.bars,
                "expected": one.expected,
                "missing": one.missing,
                "damaged": one.incomplete,
                "repaired": one.repaired,
                "compared_at": one.compared_at.isoformat() if one.compared_at else None,
                "archived_days": archived[one.instrument_id],
                "coverage": [None if share is None else round(share, 4) for share in one.shares],
            }
            for one in found
        ],
        "archive": _archive(files),
    }


def archived_days(files: Sequence[ArchivedFile]) -> Counter[int]:
    """By instrument: the number of days that have a file with its ticks."""
    return Counter(number for _, number in {(file.day, number) for file in files for number in file.instruments})


def archive_line(files: Sequence[ArchivedFile]) -> str:
    """What is archived altogether."""
    if not files:
        return "No ticks are archived yet."
    days = sorted(file.day for file in files)
    total = _archive(files)
    count = f"{total['days']} {'day' if total['days'] == 1 else 'days'}"
    size = f"{total['rows']:,} ticks in {total['bytes'] / 1e6:,.1f} MB"
    return f"Archived: {count} from {days[0]} to {days[-1]}, {size}."


def _archive(files: Sequence[ArchivedFile]) -> dict[str, int]:
    return {
        "days": len({file.day for file in files}),
        "files": len(files),
        "rows": sum(file.rows for file in files),
        "bytes": sum(file.bytes for file in files),
    }


def _names(found: Sequence[Coverage]) -> list[str]:
    """The symbols, with the venue where two have the same."""
    times = Counter(one.symbol for one in found)
    return [one.symbol if times[one.symbol] == 1 else f"{one.symbol} {one.venue.partition('/')[0]}" for one in found]


def _percent(share: float) -> str:
    """Rounded down, so that only what is whole is called so."""
    return f"{int(share * 1000) / 10:.1f} %"


def _count(minutes: int) -> Text:
    return Text(f"{minutes:,}", style="yellow" if minutes else "")


def _age(age: timedelta) -> str:
    unit, letter = next(((unit, letter) for unit, letter in _UNITS if age >= unit * 2), _UNITS[-1])
    return f"{max(0, age // unit)} {letter}"
