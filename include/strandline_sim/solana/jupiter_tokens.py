"""Price V3 and Tokens V2: prices and descriptions of tokens."""

from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web
from solders.pubkey import Pubkey

from strandline_sim.solana.jupiter_request import Jupiter, RefusedError
from strandline_sim.solana.pools import NoRouteError
from strandline_sim.solana.token_accounts import read_mint
from strandline_sim.solana.tokens import Token

_MAX_PRICES: Final = 50
_MAX_MINTS: Final = 100
_DAY_MS: Final = 86_400_000
_CREATED: Final = datetime(2024, 1, 1, tzinfo=UTC).isoformat().replace("+00:00", "Z")


class TokenHandlers:
    """Handlers of `/price` and `/tokens`."""

    def __init__(self, jupiter: Jupiter) -> None:
        self._jupiter = jupiter

    async def prices(self, request: web.Request) -> dict[str, Any]:
        """Return prices in US dollars by mint; tokens without a price are left out."""
        mints = [mint for mint in request.query.get("ids", "").split(",") if mint]
        if not 1 <= len(mints) <= _MAX_PRICES:
            raise RefusedError({"error": f"ids must name 1 to {_MAX_PRICES} mints"})
        instant = self._jupiter.instant("price")
        return {mint: price for mint in mints if (price := self._price(mint, instant)) is not None}

    async def search(self, request: web.Request) -> list[dict[str, Any]]:
        """Search tokens by mints, separated by commas, or by a part of symbol or name."""
        query = request.query.get("query", "").strip()
        wanted = query.split(",")
        if len(wanted) > _MAX_MINTS:
            raise RefusedError({"error": f"query must name at most {_MAX_MINTS} mints"})
        tokens = self._jupiter.pools.tokens.values()
        found = [token for token in tokens if str(token.mint) in wanted]
        if not found:
            low = query.lower()
            found = [token for token in tokens if low in token.symbol.lower() or low in token.name.lower()]
        return [self._described(token) for token in found]

    def _price(self, mint: str, instant: int) -> dict[str, Any] | None:
        try:
            token = self._jupiter.pools.tokens[Pubkey.from_string(mint)]
            price = self._jupiter.pools.usd(token, instant)
            before = self._jupiter.pools.usd(token, instant - _DAY_MS)
        except (KeyError, ValueError, NoRouteError):
            return None
        return {
            "usdPrice": float(price),
            "blockId": self._jupiter.slot(),
            "decimals": token.decimals,
            "priceChange24h": float((price / before - 1) * 100),
            "liquidity": float(2 * token.liquidity_usd),
            "createdAt": _CREATED,
        }

    def _described(self, token: Token) -> dict[str, Any]:
        price = self._price(str(token.mint), self._jupiter.instant("tokens"))
        usd = price["usdPrice"] if price is not None else None
        value = None if usd is None else usd * self._supply(token)
        return {
            "id": str(token.mint),
            "name": token.name,
            "symbol": token.symbol,
            "icon": None,
            "decimals": token.decimals,
            "tokenProgram": str(token.program),
            "isVerified": "verified" in token.tags,
            "tags": list(token.tags),
            "organicScore": 100.0,
            "usdPrice": usd,
            "liquidity": float(2 * token.liquidity_usd),
            "mcap": value,
            "fdv": value,
            "audit": {"mintAuthorityDisabled": False, "freezeAuthorityDisabled": True},
        }

    def _supply(self, token: Token) -> float:
        mint = self._jupiter.chain.accounts.get(token.mint)
        facts = read_mint(mint.owner, mint.data) if mint is not None else None
        return facts[0] / 10**token.decimals if facts is not None else 0.0
