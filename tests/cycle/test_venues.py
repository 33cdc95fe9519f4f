"""Which venues a run executes: those with something to do, of those that the form names, and none if it only plans."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from strandline.configuration import make_settings
from strandline.cycle.context import Context
from strandline.cycle.runs import TaskRun
from strandline.cycle.venues import choose
from strandline.model.errors import StrandlineError
from strandline.model.venue import VenueKey
from strandline.store.roles import Role
from strandline.strategy import load_strategy
from tests.conftest import Database
from tests.store.rows import ACCOUNT, insert

T = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
RUN = TaskRun(T, "trading_cycle", "a run", "scheduled", "choose_venues", 1)


@pytest.fixture
def context(database: Database) -> Iterator[Context]:
    """Both venues hold something."""
    with database.session() as connection:
        for venue in (VenueKey.parse("hyperliquid/perps"), VenueKey.parse("solana/onchain_crypto")):
            account = {**ACCOUNT, "token_chain": venue.token_chain, "book_id": venue.book_id}
            insert(connection, "venue_accounts", **account, margined=venue.book_id == "perps")
            insert(connection, "dust", **account, quantity=1)
    settings = make_settings()
    engine = database.engine(Role.APP)
    yield Context(settings, load_strategy(settings), engine, lambda: T, "test")
    engine.dispose()


def test_every_venue_with_work_is_chosen(context: Context) -> None:
    chosen = choose(context, RUN)
    assert chosen["venues"] == ["hyperliquid__perps", "solana__onchain_crypto"]
    assert chosen["tasks"] == ["execute__hyperliquid__perps", "execute__solana__onchain_crypto"]


def test_only_venues_of_the_form_are_chosen(context: Context) -> None:
    named = replace(RUN, venues=(VenueKey.parse("solana/onchain_crypto"),))
    assert choose(context, named)["venues"] == ["solana__onchain_crypto"]


def test_a_disabled_venue_is_not_chosen(context: Context) -> None:
    off = replace(context, settings=make_settings(hyperliquid_enabled=False))
    assert choose(off, RUN)["venues"] == ["solana__onchain_crypto"]
    asked = replace(RUN, venues=(VenueKey.parse("hyperliquid/perps"),))
    assert choose(off, asked)["venues"] == []


def test_a_venue_that_does_not_exist_is_refused(context: Context) -> None:
    with pytest.raises(StrandlineError, match=r"no venue hyperliquid/perp; .*hyperliquid/perps"):
        choose(context, replace(RUN, venues=(VenueKey.parse("hyperliquid/perp"),)))


def test_plan_only_chooses_no_venue(context: Context) -> None:
    assert choose(context, replace(RUN, plan_only=True))["venues"] == []
