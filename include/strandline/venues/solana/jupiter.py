"""Jupiter's API: what a swap would bring, the transaction that does it, and prices."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final, TypeVar

import aiohttp
import msgspec

T = TypeVar("T")

MOST_PRICES: Final = 50
"""Mints in one question for prices."""


class JupiterError(Exception):
    """It could not be asked, or its answer makes no sense."""


class RefusedError(Exception):
    """It will not do this; `code` is its own, empty where it gives none."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}" if code else text)
        self.code = code


class Quote(msgspec.Struct, rename="camel", frozen=True):
    """What a swap would bring now. It is given back as it came, so `raw` is kept."""

    input_mint: str
    output_mint: str
    in_amount: str
    out_amount: str
    other_amount_threshold: str
    slippage_bps: int
    price_impact_pct: Decimal
    raw: msgspec.Raw = msgspec.Raw(b"")

    @property
    def amount_in(self) -> int:
        """Raw."""
        return int(self.in_amount)

    @property
    def expected_out(self) -> int:
        """Raw, before slippage."""
        return int(self.out_amount)

    @property
    def least_out(self) -> int:
        """Raw; with less the swap fails."""
        return int(self.other_amount_threshold)


class Swap(msgspec.Struct, rename="camel", frozen=True):
    """A transaction to be signed, and the last block height that may hold it."""

    swap_transaction: str
    last_valid_block_height: int


class TokenPrice(msgspec.Struct, rename="camel", frozen=True):
    """Of one whole token."""

    usd_price: Decimal


class _Refusal(msgspec.Struct, rename="camel"):
    error: str = ""
    error_code: str = ""


class Jupiter:
    """Swap V2 with an own node, and Price V3."""

    def __init__(self, session: aiohttp.ClientSession, url: str, api_key: str | None) -> None:
        self._session = session
        self._url = url.rstrip("/")
        self._headers = {} if api_key is None else {"x-api-key": api_key}

    async def quote(self, mint_in: str, mint_out: str, amount: int, slippage_bps: int) -> Quote:
        """The best route for exactly this amount in; `RefusedError` where there is none."""
        asked = {"inputMint": mint_in, "outputMint": mint_out, "amount": str(amount), "slippageBps": str(slippage_bps)}
        answer = await self._ask("GET", "/swap/v2/quote", params=asked)
        quote = msgspec.structs.replace(_read(answer, Quote), raw=msgspec.Raw(answer))
        if (quote.input_mint, quote.output_mint, quote.in_amount, quote.slippage_bps) != (
            *(mint_in, mint_out, str(amount)),
            slippage_bps,
        ):
            raise JupiterError("it answered another question than it was asked")
        return quote

    async def swap(self, quote: Quote, taker: str, urgency: str, valid_slots: int) -> Swap:
        """The transaction of a quote, for the taker's signature alone; SOL is traded wrapped, apart from gas."""
        wish = {
            "quoteResponse": quote.raw,
            "taker": taker,
            "wrapAndUnwrapSol": False,
            "computeUnitPricePercentile": urgency,
            "blockhashSlotsToExpiry": valid_slots,
        }
        return _read(await self._ask("POST", "/swap/v2/swap", body=msgspec.json.encode(wish)), Swap)

    async def prices(self, mints: Sequence[str]) -> Mapping[str, Decimal]:
        """In US dollars; what it has no price for is left out."""
        found: dict[str, Decimal] = {}
        for start in range(0, len(mints), MOST_PRICES):
            ids = ",".join(mints[start : start + MOST_PRICES])
            answer = await self._ask("GET", "/price/v3", params={"ids": ids})
            told = _read(answer, dict[str, TokenPrice | None])
            found |= {
                mint: price.usd_price for mint, price in told.items() if price is not None and price.usd_price > 0
            }
        return found

    async def price(self, mint: str) -> Decimal:
        """Of one, which must have one."""
        prices = await self.prices([mint])
        if mint not in prices:
            raise JupiterError(f"it has no price for {mint}")
        return prices[mint]

    async def _ask(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> bytes:
        headers = {**self._headers, "Content-Type": "application/json"}
        try:
            async with self._session.request(
                method, self._url + path, params=params, data=body, headers=headers
            ) as answer:
                status, text = answer.status, await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise JupiterError(f"{path} was not answered: {type(error).__name__}") from error
        if status == 400:
            refusal = _read(text, _Refusal)
            raise RefusedError(refusal.error_code, refusal.error)
        if status != 200:
            raise JupiterError(f"{path} was answered with {status}")
        return text


def _read(answer: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(answer, type=kind)
    except msgspec.DecodeError as error:
        raise JupiterError(f"its answer cannot be read: {error}") from error
