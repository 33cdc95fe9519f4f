"""API wallets: keys that may trade for an account."""

import re
from dataclasses import dataclass
from typing import Final

_VALID_UNTIL: Final = re.compile(r"(?P<name>.*?) ?valid_until (?P<until>\d{1,15})$")
_MAX_NAMED: Final = 3
_VALIDITY_MS: Final = 180 * 86_400_000
"""The venue allows no longer validity; here an agent that asks for none has this one."""


@dataclass(frozen=True, slots=True)
class Agent:
    """An API wallet; the name of the one unnamed agent is empty."""

    address: str
    name: str
    valid_until: int


class Agents:
    """The agents of all accounts."""

    def __init__(self) -> None:
        self._owners: dict[str, str] = {}
        self._agents_by_owner: dict[str, dict[str, Agent]] = {}
        self._ever_used: set[str] = set()

    def approve(self, owner: str, address: str, name: str, now: int) -> str | None:
        """Add an agent, in place of one of the same name; return the error, if any."""
        until = now + _VALIDITY_MS
        if match := _VALID_UNTIL.fullmatch(name):
            name, until = match["name"], int(match["until"])
            if until <= now:
                return "Agent valid_until already expired."
        mine = self._agents_by_owner.setdefault(owner, {})
        if address in self._ever_used or address == owner:
            return "Extra agent already used."
        if name and name not in mine and sum(1 for known in mine if known) >= _MAX_NAMED:
            return f"Too many extra agents for cumulative volume traded. Current limit is {_MAX_NAMED}"
        if name in mine:
            del self._owners[mine[name].address]
        mine[name] = Agent(address, name, until)
        self._owners[address] = owner
        self._ever_used.add(address)
        return None

    def owner_of(self, address: str, now: int) -> str | None:
        """Return the account that this key may trade for now."""
        owner = self._owners.get(address)
        if owner is None:
            return None
        until = next(agent.valid_until for agent in self._agents_by_owner[owner].values() if agent.address == address)
        return owner if until > now else None

    def is_agent(self, address: str) -> bool:
        """Whether the address was ever an agent."""
        return address in self._ever_used

    def named(self, owner: str, now: int) -> list[Agent]:
        """Return the owner's valid named agents."""
        return [agent for agent in self._valid(owner, now) if agent.name]

    def unnamed(self, owner: str, now: int) -> Agent | None:
        """Return the owner's agent without a name."""
        return next((agent for agent in self._valid(owner, now) if not agent.name), None)

    def _valid(self, owner: str, now: int) -> list[Agent]:
        agents = self._agents_by_owner.get(owner, {}).values()
        return [agent for agent in agents if agent.valid_until > now]
