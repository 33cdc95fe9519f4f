"""A WebSocket connection that hands over each message as it arrives."""

from collections.abc import Callable
from typing import Any, Final

from websockets.asyncio.client import ClientConnection
from websockets.client import ClientProtocol
from websockets.frames import DATA_OPCODES, Frame
from websockets.protocol import Event, State

_WHOLE_MESSAGES: Final = (0x81, 0x82)
"""The first byte of a text or binary message that is in one frame and not compressed."""
_MORE_HEADER: Final = {126: 2, 127: 8}
"""How many bytes more there are for a length that is not in the second byte, which says so."""


class MessageConnection(ClientConnection):
    """websockets' connection without its queue: what was read at once is handed over at once, and in order.

    Nearly all frames are whole messages. Those are cut out here; all others and the handshakes are websockets', frame
    by frame. Nothing is left for `recv`, which returns only by raising the connection's end.

    Before each frame `take_frames` may take as many whole messages as it likes from the bytes, frames and all, from a
    position on; it returns where the next one begins.
    """

    def __init__(
        self,
        on_message: Callable[[bytes], None],
        take_frames: Callable[[bytes, int], int],
        max_size: int,
        protocol: ClientProtocol,
        **options: Any,  # noqa: ANN401  of several types
    ) -> None:
        """`on_message` takes whatever the venue sends; `protocol` and `options` are those that `connect` gives."""
        super().__init__(protocol, **options)
        self._on_message = on_message
        self._take_frames = take_frames
        self._max_size = max_size
        self._rest = bytearray()
        self._needed = 0
        self._fragments: list[bytes] = []

    def data_received(self, data: bytes) -> None:
        """Hand over all messages that are whole, and keep the rest."""
        if self._rest:
            self._rest += data
            if len(self._rest) < self._needed:
                return
            data = bytes(self._rest)
            self._rest.clear()
        at = 0
        while at < len(data) and self._between_frames:
            if not self._fragments:
                at = self._take_frames(data, at)
            start, end = _frame(data, at)
            if end - start > self._max_size:
                break
            if end > len(data):
                self._rest += data[at:]
                self._needed = end - at
                return
            if data[at] in _WHOLE_MESSAGES and not self._fragments:
                self._on_message(data[start:end])
            else:
                super().data_received(data[at:end])
            at = end
        if at < len(data):
            super().data_received(data[at:])

    def process_event(self, event: Event) -> None:
        """Take what websockets has cut out; the response to the handshake and answers to pings remain its own."""
        if not isinstance(event, Frame) or event.opcode not in DATA_OPCODES:
            super().process_event(event)
        elif self.protocol.state is State.OPEN:
            self._fragments.append(bytes(event.data))
            if event.fin:
                message = b"".join(self._fragments)
                self._fragments.clear()
                self._on_message(message)

    @property
    def _between_frames(self) -> bool:
        """Whether the next byte begins a frame: websockets is past the handshake and has the beginning of none."""
        return self.protocol.state is State.OPEN and not self.protocol.reader.buffer


def _frame(data: bytes, at: int) -> tuple[int, int]:
    """Where its content begins and ends; beyond the data if its header is not whole."""
    length = data[at + 1] & 0x7F if at + 1 < len(data) else 0
    start = at + 2 + _MORE_HEADER.get(length, 0)
    if length in _MORE_HEADER:
        length = int.from_bytes(data[at + 2 : start], "big")
    return start, start + length
