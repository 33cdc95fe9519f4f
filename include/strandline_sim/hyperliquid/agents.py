"""Keys that may trade for an account."""

import re
from dataclasses import dataclass
from typing import Final

_VALID_UNTIL: Final = re.compile(r"(?P<name>.*?) ?valid_until (?P<until>\d{1,15})$")
_MOST_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class Agent:
    """`name` is empty for the one unnamed agent."""

    address: str
    name: str
    valid_until: int | None


class Agents:
    """Who acts for whom."""

    def __init__(self) -> None:
        self._owners: dict[str, str] = {}
        self._of: dict[str, dict[str, Agent]] = {}
        self._once: set[str] = set()

    def approve(self, owner: str, address: str, name: str, now: int) -> str | None:
        """A new agent; it replaces the one of the same name. Why not, if not."""
        until = None
        if match := _VALID_UNTIL.fullmatch(name):
            name, until = match["name"], int(match["until"])
            if until <= now:
                return "Agent valid_until already expired."
        mine = self._of.setdefault(owner, {})
        if address in self._once or address == owner:
            return "Extra agent already used."
        if name and name not in mine and sum(1 for known in mine if known) >= _MOST_NAMED:
            return f"Too many extra agents for cumulative volume traded. Current limit is {_MOST_NAMED}"
        if name in mine:
            del self._owners[mine[name].address]
        mine[name] = Agent(address, name, until)
        self._owners[address] = owner
        self._once.add(address)
        return None

    def owner_of(self, address: str, now: int) -> str | None:
        """For whom this key may act now."""
        owner = self._owners.get(address)
        if owner is None:
            return None
        until = next(agent.valid_until for agent in self._of[owner].values() if agent.address == address)
        return owner if until is None or until > now else None

    def is_agent(self, address: str) -> bool:
        """Whether the address ever acted for another."""
        return address in self._once

    def named(self, owner: str, now: int) -> list[Agent]:
        """The owner's named agents that are still valid."""
        agents = self._of.get(owner, {}).values()
        return [agent for agent in agents if agent.name and (agent.valid_until is None or agent.valid_until > now)]
