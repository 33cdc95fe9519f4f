"""Client of Jupiter's API: quotes, swap transactions and prices."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final, TypeVar

import aiohttp
import msgspec

T = TypeVar("T")

MAX_PRICES_PER_REQUEST: Final = 50
"""Mints in one price request."""


class JupiterError(Exception):
    """Jupiter could not be reached, or its response is invalid."""


class RefusedError(Exception):
    """Jupiter refused the request; `code` is Jupiter's, empty if it gave none."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}" if code else text)
        self.code = code


class Quote(msgspec.Struct, rename="camel", frozen=True):
    """A quote. It has to be sent back unchanged, so `raw` is kept."""

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
        """The input amount, in raw units."""
        return int(self.in_amount)

    @property
    def expected_out(self) -> int:
        """The expected output amount, in raw units, before slippage."""
        return int(self.out_amount)

    @property
    def least_out(self) -> int:
        """The least output amount, in raw units; with less the swap fails."""
        return int(self.other_amount_threshold)


class Swap(msgspec.Struct, rename="camel", frozen=True):
    """An unsigned transaction, and the last block height at which it is valid."""

    swap_transaction: str
    last_valid_block_height: int


class TokenPrice(msgspec.Struct, rename="camel", frozen=True):
    """The price of one whole token."""

    usd_price: Decimal


class _Refusal(msgspec.Struct, rename="camel"):
    error: str = ""
    error_code: str = ""


class Jupiter:
    """Swap V2 (quote and swap) and Price V3."""

    def __init__(self, session: aiohttp.ClientSession, url: str, api_key: str | None) -> None:
        self._session = session
        self._url = url.rstrip("/")
        self._headers = {} if api_key is None else {"x-api-key": api_key}

    async def quote(self, mint_in: str, mint_out: str, amount: int, slippage_bps: int) -> Quote:
        """Quote the best route for exactly this input amount; raise `RefusedError` if there is none."""
        query = {"inputMint": mint_in, "outputMint": mint_out, "amount": str(amount), "slippageBps": str(slippage_bps)}
        answer = await self._request("GET", "/swap/v2/quote", params=query)
        quote = msgspec.structs.replace(_read(answer, Quote), raw=msgspec.Raw(answer))
        if (quote.input_mint, quote.output_mint, quote.in_amount, quote.slippage_bps) != (
            *(mint_in, mint_out, str(amount)),
            slippage_bps,
        ):
            raise JupiterError("its quote is for another swap than was requested")
        return quote

    async def swap(self, quote: Quote, taker: str, urgency: str, valid_slots: int) -> Swap:
        """Build the transaction of a quote, signed by the taker alone; traded SOL stays wrapped."""
        body = {
            "quoteResponse": quote.raw,
            "taker": taker,
            "wrapAndUnwrapSol": False,
            "computeUnitPricePercentile": urgency,
            "blockhashSlotsToExpiry": valid_slots,
        }
        return _read(await self._request("POST", "/swap/v2/swap", body=msgspec.json.encode(body)), Swap)

    async def prices(self, mints: Sequence[str]) -> Mapping[str, Decimal]:
        """Read prices in US dollars; tokens without a price are left out."""
        found: dict[str, Decimal] = {}
        for start in range(0, len(mints), MAX_PRICES_PER_REQUEST):
            ids = ",".join(mints[start : start + MAX_PRICES_PER_REQUEST])
            answer = await self._request("GET", "/price/v3", params={"ids": ids})
            response = _read(answer, dict[str, TokenPrice | None])
            found |= {
                mint: price.usd_price for mint, price in response.items() if price is not None and price.usd_price > 0
            }
        return found

    async def price(self, mint: str) -> Decimal:
        """Read the price of one token; raise if it has none."""
        prices = await self.prices([mint])
        if mint not in prices:
            raise JupiterError(f"it has no price for {mint}")
        return prices[mint]

    async def _request(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> bytes:
        headers = {**self._headers, "Content-Type": "application/json"}
        try:
            async with self._session.request(
                method, self._url + path, params=params, data=body, headers=headers
            ) as response:
                status, text = response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise JupiterError(f"{path} got no response: {type(error).__name__}") from error
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
        raise JupiterError(f"its response cannot be read: {error}") from error
