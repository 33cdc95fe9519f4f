"""Every message is handed over once and in order, however its bytes are cut, and whatever comes between."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from itertools import pairwise
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.protocol import SEND_EOF
from websockets.server import ServerProtocol

from strandline.venues.message_connection import MessageConnection

MAX_SIZE = 250_000
SIZES = st.integers(0, 300) | st.sampled_from([125, 126, 127, 65_535, 65_536, 70_000])
PARTS = st.lists(SIZES, min_size=1, max_size=3)
"""The sizes of a message's frames."""


def kind_of_create_connection(received: list[bytes]) -> type[MessageConnection]:
    """What `connect` takes; short text messages are taken many at once."""

    def take(data: bytes, at: int) -> int:
        while len(data) > at + 1 and data[at] == 0x81 and data[at + 1] < 126 and at + 2 + data[at + 1] <= len(data):
            received.append(data[at + 2 : at + 2 + data[at + 1]])
            at += 2 + data[at + 1]
        return at

    return cast("type[MessageConnection]", partial(MessageConnection, received.append, take, MAX_SIZE))


@asynccontextmanager
async def connected(
    received: list[bytes], compression: str | None
) -> AsyncIterator[tuple[MessageConnection, ServerProtocol]]:
    """A connection, and the server's end, which turns messages into bytes."""
    servers: list[ServerConnection] = []

    async def handle(server: ServerConnection) -> None:
        servers.append(server)
        await server.wait_closed()

    async with serve(handle, "127.0.0.1", 0, compression=compression) as listener:
        port = listener.sockets[0].getsockname()[1]
        async with connect(
            f"ws://127.0.0.1:{port}",
            max_size=MAX_SIZE,
            close_timeout=0.1,
            proxy=None,
            create_connection=kind_of_create_connection(received),
        ) as connection:
            while not servers:
                await asyncio.sleep(0)
            assert isinstance(connection, MessageConnection)
            yield connection, servers[0].protocol


def message(number: int, sizes: Sequence[int]) -> list[bytes]:
    """The contents of a message's frames."""
    return [bytes([97 + number % 26]) * size for size in sizes]


def send(server: ServerProtocol, parts: Sequence[bytes]) -> None:
    """Send them as one message; the first frame may be the only one."""
    server.send_text(parts[0], fin=len(parts) == 1)
    for part in parts[1:]:
        server.send_ping(b"between")
        server.send_continuation(part, fin=part is parts[-1])


def pieces(data: bytes, cuts: Sequence[float]) -> list[bytes]:
    """The data, cut there."""
    at = sorted({0, len(data), *(int(cut * len(data)) for cut in cuts)})
    return [data[first:last] for first, last in pairwise(at)]


@pytest.mark.parametrize("compression", [None, "deflate"])
@settings(max_examples=60, deadline=None)
@given(messages=st.lists(PARTS, max_size=12), cuts=st.lists(st.floats(0, 1), max_size=30))
def test_messages_are_whole_and_in_order_however_they_are_cut(
    compression: str | None, messages: list[list[int]], cuts: list[float]
) -> None:
    async def inside() -> None:
        received: list[bytes] = []
        async with connected(received, compression) as (connection, server):
            expected = [message(number, sizes) for number, sizes in enumerate(messages)]
            for parts in expected:
                send(server, parts)
            for piece in pieces(b"".join(server.data_to_send()), cuts):
                connection.data_received(piece)
            assert received == [b"".join(parts) for parts in expected]

    asyncio.run(inside())


@pytest.mark.parametrize("early", [0, 1, 2, 3, 7, 8, 9, 12, 13, 1000])
def test_what_comes_with_the_handshake_is_not_lost(early: int) -> None:
    """So many bytes of the first messages come in one piece with the handshake's response."""

    async def inside() -> None:
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            server = ServerProtocol()
            server.receive_data(await reader.readuntil(b"\r\n\r\n"))
            (request,) = server.events_received()
            server.send_response(server.accept(request))  # type: ignore[arg-type]
            response = b"".join(server.data_to_send())
            for text in (b"hello", b"world", b"!" * 200):
                server.send_text(text)
            messages = b"".join(server.data_to_send())
            writer.write(response + messages[:early])
            await asyncio.sleep(0.05)
            writer.write(messages[early:])
            await asyncio.sleep(0.05)
            writer.close()

        received: list[bytes] = []
        async with await asyncio.start_server(accept, "127.0.0.1", 0) as listener:
            port = listener.sockets[0].getsockname()[1]
            async with connect(
                f"ws://127.0.0.1:{port}", proxy=None, create_connection=kind_of_create_connection(received)
            ) as connection:
                with pytest.raises(ConnectionClosed):
                    await asyncio.wait_for(connection.recv(), 10)
        assert received == [b"hello", b"world", b"!" * 200]

    asyncio.run(inside())


@pytest.mark.parametrize("fragments", [[MAX_SIZE + 1], [MAX_SIZE, 1]])
def test_a_message_that_is_too_large_ends_the_connection_behind_those_before_it(fragments: list[int]) -> None:
    async def inside() -> None:
        received: list[bytes] = []
        async with connected(received, None) as (connection, server):
            send(server, [b"before"])
            send(server, message(0, fragments))
            send(server, [b"behind"])
            connection.data_received(b"".join(server.data_to_send()))
            with pytest.raises(ConnectionClosed) as raised:
                await asyncio.wait_for(connection.recv(), 10)
            assert raised.value.sent is not None
            assert raised.value.sent.code == CloseCode.MESSAGE_TOO_BIG
            assert received == [b"before"]

    asyncio.run(inside())


def test_nothing_is_taken_from_a_connection_that_breaks_the_protocol() -> None:
    """A new message must not begin while the fragments of another are not complete."""

    async def inside() -> None:
        received: list[bytes] = []
        async with connected(received, None) as (connection, server):
            server.send_text(b"a part of ", fin=False)
            data = b"".join(server.data_to_send())
            connection.data_received(data + b"\x81\x03new" + b"\x81\x03one")
            with pytest.raises(ConnectionClosed) as raised:
                await asyncio.wait_for(connection.recv(), 10)
            assert raised.value.sent is not None
            assert raised.value.sent.code == CloseCode.PROTOCOL_ERROR
            assert received == []

    asyncio.run(inside())


def test_the_connections_end_is_raised_behind_the_last_message() -> None:
    async def inside() -> None:
        received: list[bytes] = []
        async with connected(received, None) as (connection, server):
            send(server, [b"the last"])
            server.send_close(CloseCode.GOING_AWAY)
            connection.data_received(b"".join(part for part in server.data_to_send() if part is not SEND_EOF))
            server.receive_eof()
            connection.eof_received()
            with pytest.raises(ConnectionClosed) as raised:
                await asyncio.wait_for(connection.recv(), 10)
            assert raised.value.rcvd is not None
            assert raised.value.rcvd.code == CloseCode.GOING_AWAY
            assert received == [b"the last"]

    asyncio.run(inside())
