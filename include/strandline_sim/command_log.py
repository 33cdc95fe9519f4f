"""Records the commands that change the simulation, and restores it from them.

The same seed and the same commands at the same times give the same simulation, however the last process ended.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, BinaryIO, Final, NamedTuple, TypeVar

import msgspec

from strandline.model.canonical import canonical_bytes
from strandline.model.record import require
from strandline_sim.clock import Clock


class Command(NamedTuple):
    """A command at an instant; `data` is JSON."""

    at: int
    kind: str
    data: dict[str, Any]
    tape: int = 0
    """The length of the tape before the command: a replay with another length is not the same simulation."""


T = TypeVar("T")
_GENESIS: Final = "genesis"
_OTHER_VERSION: Final = "another version wrote it; use that version, or start with a new file"


class CommandLog:
    """Writes each command to the file before it is executed, and executes it at one instant."""

    def __init__(
        self, clock: Clock, file: BinaryIO | None = None, synced_tape_length: Callable[[], int] = lambda: 0
    ) -> None:
        """`synced_tape_length` brings the venues to the clock's time, and returns the length of the tape."""
        self._clock = clock
        self._file = file
        self._synced_tape_length = synced_tape_length
        self._handlers: dict[str, Callable[[dict[str, Any]], object]] = {}

    def register(self, kind: str, handler: Callable[[dict[str, Any]], T]) -> Callable[[dict[str, Any]], T]:
        """Register the handler of a kind of command; returns the function that records and executes one."""
        self._handlers[kind] = handler

        def execute(data: dict[str, Any]) -> T:
            now = self._clock.now()
            with self._clock.pinned(now):
                if self._file is not None:
                    write_command(self._file, Command(now, kind, data, self._synced_tape_length()))
                return handler(data)

        return execute

    def replay(self, commands: Iterable[Command]) -> None:
        """Execute recorded commands again; those that were refused are refused again."""
        for command in commands:
            with self._clock.pinned(command.at):
                lines = self._synced_tape_length()
                require(
                    lines == command.tape,
                    f"the tape had {command.tape} lines here and has {lines} now: {_OTHER_VERSION}",
                )
                with suppress(ValueError, KeyError):
                    self._handlers[command.kind](command.data)


def write_command(file: BinaryIO, command: Command) -> None:
    """Append a command and flush, so that it survives this process."""
    file.write(canonical_bytes(command._asdict()) + b"\n")
    file.flush()


def read_commands(file: BinaryIO) -> list[Command]:
    """Read all commands of a file, and cut off an unfinished last line: its command was never executed."""
    commands, end = [], 0
    for line in file:
        if not line.endswith(b"\n"):
            break
        commands.append(Command(**msgspec.json.decode(line, type=dict[str, Any])))
        end += len(line)
    file.seek(end)
    file.truncate()
    return commands


def restore(file: BinaryIO, clock: Clock, options: dict[str, Any], make: Callable[[], T]) -> tuple[T, list[Command]]:
    """Call `make` at the time when the file was started; return its result, and the commands to replay on it.

    An empty file starts now. `options` must equal those that the file was started with.
    """
    commands = read_commands(file)
    if not commands:
        commands = [Command(clock.now(), _GENESIS, options)]
        write_command(file, commands[0])
    first = commands[0]
    if first.data != options:
        raise ValueError(f"it was started with {first.data}, not with {options}")
    with clock.pinned(first.at):
        return make(), commands[1:]
