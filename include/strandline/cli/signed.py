"""The options by which a person signs an order: who and why."""

from getpass import getuser
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from strandline.controls.orders import Done, Signed

Why: TypeAlias = Annotated[str, typer.Option("--why", help="The reason, for those who read the strands later.")]
By: TypeAlias = Annotated[str, typer.Option("--by", help="Who orders it.", default_factory=getuser, show_default="you")]


def signed(by: str, why: str) -> "Signed":
    """Sign an order."""
    from strandline.controls.orders import Signed

    return Signed(by, why)


def tell(done: "Done") -> None:
    """Print what came of an order. One that changes nothing ends well too: what was wanted is so already."""
    print(done.message)
