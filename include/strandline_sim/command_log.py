"""Records the commands that change the simulation, and restores it from them.

The same seed and the same commands at the same times give the same simulation, however the last process ended.
"""

from collections.abc import Callable, Iterable
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
_REFUSED: Final = "refused"
_CHOSEN: Final = "chosen"
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
        self._executed = 0
        self._choices = 0
        self._recorded_choices: dict[int, dict[str, Any]] = {}

    def register(self, kind: str, handler: Callable[[dict[str, Any]], T]) -> Callable[[dict[str, Any]], T]:
        """Register the handler of a kind of command; returns the function that records and executes one."""
        self._handlers[kind] = handler

        def execute(data: dict[str, Any]) -> T:
            now = self._clock.now()
            with self._clock.pinned(now):
                self._write(Command(now, kind, data, self._synced_tape_length()))
                self._executed += 1
                try:
                    return handler(data)
                except Exception as error:
                    self._record_refusal(now, error)
                    raise

        return execute

    def choose(self, choice: Callable[[], dict[str, Any] | None]) -> dict[str, Any] | None:
        """Make a choice that commands do not determine, such as a fault while time passes: a replay chooses the same.

        None, which is the usual choice, is not recorded.
        """
        self._choices += 1
        if self._choices in self._recorded_choices:
            return self._recorded_choices[self._choices]
        chosen = choice()
        if chosen is not None:
            self._write(Command(self._clock.now(), _CHOSEN, {"choice": self._choices, "chosen": chosen}))
        return chosen

    def replay(self, recorded: Iterable[Command]) -> None:
        """Execute recorded commands again; those that were refused must be refused again."""
        lines = list(recorded)
        refused = {line.data["command"]: line.data["error"] for line in lines if line.kind == _REFUSED}
        self._recorded_choices = {line.data["choice"]: line.data["chosen"] for line in lines if line.kind == _CHOSEN}
        commands = [line for line in lines if line.kind not in {_REFUSED, _CHOSEN}]
        for number, command in enumerate(commands, 1):
            error = self._repeat(command)
            if number == len(commands) and number not in refused:
                # The process may have been killed before it could record how the command ended.
                self._record_refusal(command.at, error)
            elif _name_of(error) != refused.get(number):
                ended = f"command {number} ended with {_name_of(error)} instead of {refused.get(number)}"
                raise ValueError(f"{ended}: {_OTHER_VERSION}")
        # What was due since then happens before anybody adds a fault.
        self._synced_tape_length()

    def _repeat(self, command: Command) -> Exception | None:
        """Execute a command at its instant; return the error with which it was refused."""
        require(command.kind in self._handlers, f"there is no command {command.kind}: {_OTHER_VERSION}")
        self._executed += 1
        with self._clock.pinned(command.at):
            length = self._synced_tape_length()
            require(
                length == command.tape,
                f"the tape had {command.tape} lines here and has {length} now: {_OTHER_VERSION}",
            )
            try:
                self._handlers[command.kind](command.data)
            except Exception as error:  # noqa: BLE001  whatever it was refused for
                return error
        return None

    def _record_refusal(self, at: int, error: Exception | None) -> None:
        if error is not None:
            refusal = {"command": self._executed, "error": _name_of(error), "text": str(error)}
            self._write(Command(at, _REFUSED, refusal))

    def _write(self, command: Command) -> None:
        if self._file is not None:
            write_command(self._file, command)


def _name_of(error: Exception | None) -> str | None:
    return None if error is None else type(error).__name__


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
