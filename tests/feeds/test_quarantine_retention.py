"""Quarantined messages are not kept for ever, nor any number of them."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from strandline.feeds import quarantine
from strandline.feeds.quarantine import delete_old_messages
from strandline.feeds.session import Session
from strandline.feeds.subscriptions import SubscriptionManager
from strandline.feeds.tick_buffer import TickBuffer
from strandline.feeds.tick_store import insert_quarantined
from strandline.store.connect_async import connect_async
from strandline.store.roles import Role
from strandline.venues.feed import QuarantinedMessage
from strandline.venues.hyperliquid.key import HYPERLIQUID_PERPS
from tests.conftest import Database
from tests.feeds.environment import START

DAY = timedelta(days=1)


def message(number: int) -> QuarantinedMessage:
    return QuarantinedMessage(HYPERLIQUID_PERPS, "stream", "unreadable", bytes([number]))


async def kept(connection: Any) -> list[int]:
    found = await connection.fetch("SELECT payload FROM quarantined_messages ORDER BY message_id")
    return [row["payload"][0] for row in found]


def test_messages_are_deleted_by_age_and_by_number(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quarantine, "_KEPT_MESSAGES", 3)

    async def inside() -> None:
        connection = await connect_async(database.url, Role.INGEST)
        await insert_quarantined(connection, [message(1)], START - 31 * DAY)
        await insert_quarantined(connection, [message(2)], START - 29 * DAY)
        await delete_old_messages(connection, START)
        assert await kept(connection) == [2]
        await insert_quarantined(connection, [message(number) for number in range(3, 7)], START)
        await delete_old_messages(connection, START)
        assert await kept(connection) == [4, 5, 6]
        await connection.close()

    asyncio.run(inside())


def test_a_sidecar_deletes_them_when_it_starts_and_every_day(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("strandline.feeds.subscriptions._REFRESH_SECONDS", 0.02)

    async def inside() -> None:
        now = START
        connection = await connect_async(database.url, Role.INGEST)
        session = Session(lambda: connect_async(database.url, Role.INGEST))
        manager = SubscriptionManager(session, [], TickBuffer(lambda: now), lambda: now, lambda *_: None)
        run = asyncio.create_task(manager.run())
        for now in (START, START + DAY):
            await insert_quarantined(connection, [message(1)], now - 31 * DAY)
            now += DAY
            async with asyncio.timeout(20):
                while await kept(connection):
                    await asyncio.sleep(0.02)
        await connection.close()
        run.cancel()
        await asyncio.wait([run])

    asyncio.run(inside())
