"""Compiled code for frames of trades, once it is there."""

import logging
from collections.abc import Mapping
from threading import Thread
from typing import TYPE_CHECKING

from strandline.venues.packed_ticks import PackedTicks, join

if TYPE_CHECKING:
    from types import ModuleType

    from strandline.venues.hyperliquid.trade_parser import Coins

_log = logging.getLogger(__name__)


class CompiledTrades:
    """Takes frames of trades whose form is the usual one, and none before its code is loaded.

    Loading takes a second, and several the first time on a machine, when it is compiled. So it has a thread of its own.
    """

    def __init__(self) -> None:
        self._parser: ModuleType | None = None
        self._numbers: Mapping[str, int] = {}
        self._coins: Coins | None = None

    def set_numbers(self, numbers: Mapping[str, int]) -> None:
        """Give the instrument ids of the coins; frames with others are not taken."""
        self._numbers = numbers
        self._coins = None

    def load(self) -> None:
        """Load the code, in the background."""
        Thread(target=self._load, name="trade parser").start()

    def _load(self) -> None:
        from strandline.venues.hyperliquid import trade_parser

        trade_parser.parse(b"", 0, trade_parser.index({}))
        self._parser = trade_parser
        _log.info("frames of trades are read by compiled code from now on")

    def take(self, data: bytes, at: int) -> tuple[int, int, PackedTicks]:
        """Read WebSocket frames from there on: returns where the rest begins, how many they were, and their trades."""
        if self._parser is None:
            return at, 0, join([])
        if self._coins is None:
            self._coins = self._parser.index(self._numbers)
        taken: tuple[int, int, PackedTicks] = self._parser.parse(data, at, self._coins)
        return taken
