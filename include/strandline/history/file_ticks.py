"""Makes ticks of the columns of a file."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import repeat
from typing import Any, Final

from strandline.history.file_columns import Kind
from strandline.history.ticks import HistoricTick
from strandline.model.ids import derived_trade_id

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class TickReader:
    """Reads the pieces of one file in their order.

    The id of a trade that has none is derived from its fields; of equal trades at the same time, which stand together,
    each gets another. The id of a price is its time in milliseconds, as if it had been polled then.
    """

    def __init__(self) -> None:
        self._at: datetime | None = None
        self._seen: Counter[Hashable] = Counter()

    def read(
        self, kind: Kind, columns: Mapping[str, Sequence[Any]], numbers: Sequence[int | None]
    ) -> list[HistoricTick]:
        """Make ticks of the rows whose instrument is asked for."""
        if kind is Kind.TRADES:
            return self._trades(columns, numbers)
        return _ticks(columns, numbers) if kind is Kind.TICKS else _prices(columns, numbers)

    def _trades(self, columns: Mapping[str, Sequence[Any]], numbers: Sequence[int | None]) -> list[HistoricTick]:
        ids = columns.get("trade_id", repeat(None))
        lines = zip(columns["ts"], numbers, ids, columns["price"], columns["size"], columns["side"])  # noqa: B905
        return [
            HistoricTick(ts, number, self._derived(ts, number, price, size, side) if own is None else own, price, size,
                         side, b"t")
            for ts, number, own, price, size, side in lines
            if number is not None
        ]  # fmt: skip

    def _derived(self, ts: datetime, *fields: Any) -> int:  # noqa: ANN401  whatever the fields are
        if ts != self._at:
            self._at = ts
            self._seen.clear()
        self._seen[fields] += 1
        _, *told = fields
        return derived_trade_id(ts.isoformat(), *told, self._seen[fields])


def _prices(columns: Mapping[str, Sequence[Any]], numbers: Sequence[int | None]) -> list[HistoricTick]:
    return [
        HistoricTick(ts, number, (ts - _EPOCH) // timedelta(milliseconds=1), price, None, None, b"p")
        for ts, number, price in zip(columns["ts"], numbers, columns["price"], strict=True)
        if number is not None
    ]


def _ticks(columns: Mapping[str, Sequence[Any]], numbers: Sequence[int | None]) -> list[HistoricTick]:
    """Ticks that were stored once: they keep their ids, and say where they came from then."""
    rows = zip(*(columns[name] for name in ("ts", "trade_id", "price", "size", "side", "kind", "source")), strict=True)
    return [
        HistoricTick(ts, number, *fields)
        for number, (ts, *fields) in zip(numbers, rows, strict=True)
        if number is not None
    ]
