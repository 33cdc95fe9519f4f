"""What was done to the box from outside. The same seed and the same commands at the same times give the same box, so a
box that was stopped, or killed, is built again from them."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, BinaryIO, Final, NamedTuple, TypeVar

import msgspec

from strandline.model.canonical import canonical_bytes
from strandline.model.record import require
from strandline_sim.clock import Clock


class Command(NamedTuple):
    """One of them; `data` is plain JSON."""

    at: int
    kind: str
    data: dict[str, Any]
    tape: int = 0
    """How many lines the tape had then: a box that has another number is not the same."""


T = TypeVar("T")
_GENESIS: Final = "genesis"
_OTHERWISE: Final = "the version that wrote it acts otherwise; go on with that one, or begin another"


class Commands:
    """Writes each down before it acts, and gives it one instant to act in."""

    def __init__(self, clock: Clock, file: BinaryIO | None = None, settled: Callable[[], int] = lambda: 0) -> None:
        """`settled` lets happen what was due, and counts the lines of the tape."""
        self._clock = clock
        self._file = file
        self._settled = settled
        self._acts: dict[str, Callable[[dict[str, Any]], object]] = {}

    def serve(self, kind: str, act: Callable[[dict[str, Any]], T]) -> Callable[[dict[str, Any]], T]:
        """What a command of this kind does; gives back how to do it from outside."""
        self._acts[kind] = act

        def do(data: dict[str, Any]) -> T:
            now = self._clock.now()
            with self._clock.pinned(now):
                if self._file is not None:
                    write_command(self._file, Command(now, kind, data, self._settled()))
                return act(data)

        return do

    def repeat(self, commands: Iterable[Command]) -> None:
        """Do again what was done; what was refused then is refused again."""
        for command in commands:
            with self._clock.pinned(command.at):
                lines = self._settled()
                require(
                    lines == command.tape, f"its tape had {command.tape} lines where it has {lines} now: {_OTHERWISE}"
                )
                with suppress(ValueError, KeyError):
                    self._acts[command.kind](command.data)


def write_command(file: BinaryIO, command: Command) -> None:
    """A line, handed to the system at once: it outlives this process."""
    file.write(canonical_bytes(command._asdict()) + b"\n")
    file.flush()


def read_commands(file: BinaryIO) -> list[Command]:
    """All of a file, which is left at the end of its last whole line: one that was cut short never acted."""
    commands, end = [], 0
    for line in file:
        if not line.endswith(b"\n"):
            break
        commands.append(Command(**msgspec.json.decode(line, type=dict[str, Any])))
        end += len(line)
    file.seek(end)
    file.truncate()
    return commands


def rebuilt(file: BinaryIO, clock: Clock, options: dict[str, Any], make: Callable[[], T]) -> tuple[T, list[Command]]:
    """What `make` makes, as of when the file was begun, and the commands to repeat on it.

    A file that is empty begins now. `options` are what the box is made of: the same as when the file was begun.
    """
    commands = read_commands(file)
    if not commands:
        commands = [Command(clock.now(), _GENESIS, options)]
        write_command(file, commands[0])
    first = commands[0]
    if first.data != options:
        raise ValueError(f"it holds a box that was made of {first.data}, not of {options}")
    with clock.pinned(first.at):
        return make(), commands[1:]
