"""The event loop's connections have the same privileges as everybody else's."""

import asyncio

import pytest
from asyncpg.exceptions import InsufficientPrivilegeError  # type: ignore[import-untyped]

from strandline.store.connect_async import connect_async
from strandline.store.roles import Role
from tests.conftest import Database


def test_the_address_may_be_a_text_and_a_password_anything(database: Database) -> None:
    async def inside() -> None:
        url = database.url.set(password="p#a?s/s@w%o:rd")
        for address in (url, url.render_as_string(hide_password=False)):
            connection = await connect_async(address, Role.INGEST)
            assert await connection.fetchval("SELECT current_database()") == url.database
            assert connection._params.password == url.password
            await connection.close()

    asyncio.run(inside())


@pytest.mark.parametrize("role", Role)
def test_a_session_has_its_roles_privileges_and_cannot_change_them(database: Database, role: Role) -> None:
    async def inside() -> None:
        connection = await connect_async(database.url, role)
        try:
            await connection.execute("RESET ROLE")
            asked = "SELECT current_user::text, current_setting('TimeZone'), current_database()::text"
            assert tuple(await connection.fetchrow(asked)) == (role, "UTC", database.url.database)
            if role is Role.INGEST:
                with pytest.raises(InsufficientPrivilegeError):
                    await connection.execute("INSERT INTO cycles DEFAULT VALUES")
        finally:
            await connection.close()

    asyncio.run(inside())
