"""The import contract, as one table: each package of the library and those that it may import.

Run by `lint-imports` (see pyproject.toml). It is a whitelist: what the table does not allow is a fault, so a new room
or a new import is a decision that is written down there.
"""

from collections.abc import Iterator
from typing import Any, Final

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

_ARROW: Final = "<-"


class RoomsContract(Contract):
    """Rooms import what the table gives them; the pure ones import little else, not even of the standard library."""

    package: Any = fields.StringField()
    beside: Any = fields.SetField(fields.StringField())  # packages beside it, each one room of its own
    rooms: Any = fields.ListField(fields.StringField())
    pure: Any = fields.SetField(fields.StringField())
    pure_may_import: Any = fields.SetField(fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Collect every import that the table does not give."""
        faults = sorted(self._faults(graph))
        return ContractCheck(kept=not faults, metadata={"faults": faults})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Name each fault on a line of its own."""
        for fault in check.metadata["faults"]:
            output.print_error(fault)

    def _faults(self, graph: ImportGraph) -> Iterator[str]:
        allowed = dict(self._table())
        for module in graph.modules:
            room = self._room(module)
            if room is None:
                continue
            if room not in allowed:
                yield f"{module}: the table has no room '{room}'"
                continue
            for imported in graph.find_modules_directly_imported_by(module):
                fault = self._fault(room, allowed[room], imported)
                if fault:
                    yield f"{module} imports {imported}: {fault}"

    def _fault(self, room: str, allowed: set[str], imported: str) -> str | None:
        other = self._room(imported)
        if other is not None:
            return None if other in allowed | {room} else f"{room} may not know {other}"
        if imported == self.package or room not in self.pure or imported in self.pure_may_import:
            return None
        return f"{room} is pure"

    def _table(self) -> Iterator[tuple[str, set[str]]]:
        for line in self.rooms:
            room, _, others = line.partition(_ARROW)
            yield room.strip(), set(others.split())

    def _room(self, module: str) -> str | None:
        root, _, rest = module.partition(".")
        if root in self.beside:
            return root
        return rest.partition(".")[0] if root == self.package and rest else None
