"""Venue keys: the pair `(token_chain, book_id)` that names a venue everywhere."""

import re
from typing import Self

from strandline.model.record import Record, require

_NAME = re.compile(r"[a-z0-9_]{1,32}")


class VenueKey(Record, frozen=True, kw_only=True, order=True):
    """`token_chain` is a venue namespace: the chain for on-chain books, the exchange otherwise.

    `book_id` names the book there. Both are lower case.
    """

    token_chain: str
    book_id: str

    def check(self) -> None:
        for name in (self.token_chain, self.book_id):
            require(_NAME.fullmatch(name) is not None, f"a venue key is made of a-z, 0-9 and _, got {name!r}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse text such as `binance/spot`, in any case."""
        chain, slash, book = text.strip().lower().partition("/")
        require(bool(slash), f"expected token_chain/book_id, as in binance/spot, got {text!r}")
        return cls(token_chain=chain, book_id=book)

    def __str__(self) -> str:
        return f"{self.token_chain}/{self.book_id}"

    @property
    def slug(self) -> str:
        """The key without a slash, for task ids, pools and queues."""
        return f"{self.token_chain}__{self.book_id}"
