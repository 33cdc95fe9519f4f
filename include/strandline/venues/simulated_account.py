"""The account with which `strandline up` trades at a venue's simulator in mode sim; it is worth nothing elsewhere."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from strandline.model.exact import Money


@dataclass(frozen=True, kw_only=True)
class SimulatedAccount:
    """A new account at the simulator, and where the simulator listens.

    `servers` names the server of `strandline sim` that each endpoint setting is given the address of; its port is set
    by the option `--<server>-port`. The callables import what they need when they are called.
    """

    servers: Mapping[str, str]
    make_key: Callable[[], str]
    """A new private key, in the format of the venue's setting."""
    address_of: Callable[[str], str]
    """The public address that belongs to a private key."""
    deposit: Callable[[str, Money], Mapping[str, object]]
    """The request to the simulator that pays this much into an address, and what fees need."""
