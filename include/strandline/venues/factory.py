"""The only place that knows which venues there are."""

from collections.abc import Mapping
from importlib import import_module
from typing import Final, Protocol, cast

from strandline.model.errors import StrandlineError
from strandline.model.venue import HYPERLIQUID_PERPS, SOLANA_ONCHAIN, VenueKey
from strandline.venues.access import Access
from strandline.venues.executor import Executor, Observer

_FOLDERS: Final[Mapping[VenueKey, str]] = {
    HYPERLIQUID_PERPS: "strandline.venues.hyperliquid",
    SOLANA_ONCHAIN: "strandline.venues.solana",
}
"""Imported when they are needed: an SDK takes longer to load than a DAG may take to parse."""


class _Folder(Protocol):
    """What a venue's package offers."""

    def executor(self, access: Access) -> Executor: ...

    def observer(self, access: Access) -> Observer: ...


class NoExecutorError(StrandlineError):
    """Intents of such a venue are skipped as `no_executor`."""

    def __init__(self, venue: VenueKey) -> None:
        known = ", ".join(map(str, ExecutorFactory.venues()))
        super().__init__(f"there is no executor for {venue}", f"use one of {known}, or add a folder under venues/")


class ExecutorFactory:
    """Makes what trades at a venue and what reads it."""

    def __init__(self, access: Mapping[VenueKey, Access]) -> None:
        self._access = access

    @staticmethod
    def venues() -> tuple[VenueKey, ...]:
        """All that exist; the DAG draws its tasks from this."""
        return tuple(_FOLDERS)

    def executor(self, venue: VenueKey) -> Executor:
        """Real orders, or simulated fills on real prices when the access says paper."""
        access = self._given(venue)
        if access.paper:
            from strandline.venues.paper import PaperExecutor

            return PaperExecutor(venue, access, self._folder(venue).observer(access))
        return self._folder(venue).executor(access)

    def observer(self, venue: VenueKey) -> Observer:
        """Reads marks and accounts."""
        access = self._given(venue)
        observer = self._folder(venue).observer(access)
        if access.paper:
            from strandline.venues.paper import PaperObserver

            return PaperObserver(venue, access, observer)
        return observer

    def address(self, venue: VenueKey) -> str:
        """The account's public address, which needs no key where it is told."""
        told = self._given(venue).address
        if told is not None:
            return told
        executor = self.executor(venue)
        try:
            return executor.address
        finally:
            executor.close()

    def _given(self, venue: VenueKey) -> Access:
        if venue not in _FOLDERS or venue not in self._access:
            raise NoExecutorError(venue)
        return self._access[venue]

    @staticmethod
    def _folder(venue: VenueKey) -> _Folder:
        return cast("_Folder", import_module(_FOLDERS[venue]))
