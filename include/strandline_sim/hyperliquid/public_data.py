"""The venue's JSON of public data: listings, books, trades, candles, funding."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any, Final

from strandline.model.side import Side
from strandline_sim.hyperliquid.exchange import Exchange
from strandline_sim.hyperliquid.numbers import ZERO, wire
from strandline_sim.hyperliquid.time_step import DAY, FUNDING_LAG, HOUR, funding_instants
from strandline_sim.market.candles import Candle
from strandline_sim.market.trades import Trade

Json = dict[str, Any]
MINUTE: Final = 60_000
INTERVALS: Final = {
    "1m": MINUTE,
    "3m": 3 * MINUTE,
    "5m": 5 * MINUTE,
    "15m": 15 * MINUTE,
    "30m": 30 * MINUTE,
    "1h": HOUR,
    "2h": 2 * HOUR,
    "4h": 4 * HOUR,
    "8h": 8 * HOUR,
    "12h": 12 * HOUR,
    "1d": DAY,
    "3d": 3 * DAY,
    "1w": 7 * DAY,
}
DEPTH: Final = 20
_MAX_CANDLES: Final = 5000
_MAX_ROWS: Final = 500
_LAUNCH: Final = 1_683_849_600_000
"""The launch of the live venue: older data cannot be requested."""
_MARKET_USER: Final = 0x51A7 << 144


def is_precision(figures: object, mantissa: object) -> bool:
    """Whether a book can be asked for with these: whole numbers, and a mantissa with five figures only."""
    if not all(value is None or type(value) is int for value in (figures, mantissa)):
        return False
    return figures in (None, 2, 3, 4, 5) and (mantissa is None or (mantissa in (1, 2, 5) and figures == 5))


def trade_json(coin: str, trade: Trade) -> Json:
    """Make the JSON of a trade."""
    return {
        "coin": coin,
        "side": "B" if trade.side is Side.BUY else "A",
        "px": wire(trade.price),
        "sz": wire(trade.size),
        "time": trade.time,
        "hash": f"0x{trade.id:064x}",
        "tid": trade.id,
        "users": [f"0x{_MARKET_USER + 2 * trade.id:040x}", f"0x{_MARKET_USER + 2 * trade.id + 1:040x}"],
    }


def candle_json(coin: str, interval: str, candle: Candle) -> Json:
    """Make the JSON of a candle, closed or forming."""
    return {
        "t": candle.time,
        "T": candle.time + INTERVALS[interval] - 1,
        "s": coin,
        "i": interval,
        "o": wire(candle.open),
        "c": wire(candle.close),
        "h": wire(candle.high),
        "l": wire(candle.low),
        "v": wire(candle.volume),
        "n": candle.trades,
    }


class PublicData:
    """Makes the JSON of public data."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._market = exchange.market
        self._days: dict[str, tuple[int, Decimal, Decimal]] = {}
        self._turnovers: dict[int, Decimal] = {}

    def meta(self) -> Json:
        """Return the listings."""
        return {
            "universe": [
                {
                    "szDecimals": listing.sz_decimals,
                    "name": listing.name,
                    "maxLeverage": listing.max_leverage,
                    "marginTableId": listing.max_leverage,
                }
                for listing in self._exchange.listings
            ],
            "marginTables": [
                [leverage, {"description": "", "marginTiers": [{"lowerBound": "0.0", "maxLeverage": leverage}]}]
                for leverage in sorted({listing.max_leverage for listing in self._exchange.listings})
            ],
            "collateralToken": 0,
        }

    def context(self, coin: str) -> Json:
        """Return current prices, funding and volume."""
        now = self._exchange.now
        bbo = self._exchange.matcher.bbo(coin)
        volume, turnover = self._day(coin)
        mid = self.mid(coin)
        return {
            "funding": wire(self._market.funding_rate(coin, now // HOUR * HOUR)),
            "openInterest": wire(self._open_interest(coin)),
            "prevDayPx": wire(self._market.price(coin, now - DAY)),
            "dayNtlVlm": wire(turnover),
            "premium": wire(self._market.premium(coin, now)),
            "oraclePx": wire(self._market.oracle(coin, self._exchange.liquidity.update_time(now))),
            "markPx": wire(self._exchange.mark(coin)),
            "midPx": None if mid is None else wire(mid),
            "impactPxs": None if bbo.bid is None or bbo.ask is None else [wire(bbo.bid), wire(bbo.ask)],
            "dayBaseVlm": wire(volume),
        }

    def mid(self, coin: str) -> Decimal | None:
        """Return the price halfway between the best prices."""
        bid, ask = self._exchange.matcher.bbo(coin)
        return None if bid is None or ask is None else (bid + ask) / 2

    def mark(self, coin: str, at: int) -> Decimal:
        """Return the mark that was in effect at an instant."""
        return self._market.mark(coin, self._exchange.liquidity.update_time(at))

    def all_mids(self) -> dict[str, str]:
        """Return the mids of all coins; the mark where a side of the book is empty."""
        coins = self._exchange.by_name
        return {coin: wire(self.mid(coin) or self._exchange.mark(coin)) for coin in coins}

    def book(self, coin: str, figures: int | None = None, mantissa: int | None = None, depth: int = DEPTH) -> Json:
        """Return the book of the market's and the clients' orders."""
        now = self._exchange.now
        market_book = self._exchange.liquidity.book(coin, now)
        if figures is not None or any(len(side) < depth for side in market_book):
            market_book = self._exchange.liquidity.deep_book(coin, now)
        sides: list[dict[Decimal, tuple[Decimal, int]]] = [{}, {}]
        offers = [(0, one.price, one.size, one.orders) for one in market_book.bids]
        offers += [(1, one.price, one.size, one.orders) for one in market_book.asks]
        offers += [
            (0 if order.spec.is_buy else 1, order.spec.px, order.remaining, 1)
            for order in self._exchange.matcher.books[coin]
        ]
        for side, px, size, count in offers:
            price = (
                px
                if figures is None
                else _rounded_price(px, figures, mantissa or 1, ROUND_CEILING if side else ROUND_FLOOR)
            )
            known = sides[side].get(price, (ZERO, 0))
            sides[side][price] = (known[0] + size, known[1] + count)
        levels = [
            [
                {"px": wire(px), "sz": wire(size), "n": count}
                for px, (size, count) in sorted(levels.items(), reverse=not side)[:depth]
            ]
            for side, levels in enumerate(sides)
        ]
        return {"coin": coin, "time": now, "levels": levels}

    def recent_trades(self, coin: str, count: int) -> list[Trade]:
        """Return the newest trades, oldest first."""
        now, span = self._exchange.now, MINUTE
        while True:
            trades = self._market.trades(coin, max(now - span, 0), now)
            if len(trades) >= count or span >= DAY:
                return list(trades[-count:])
            span *= 4

    def candles(self, coin: str, interval: str, start: int, end: int, now: int) -> list[Json]:
        """Return the candles that start in [start, end], of the newest 5,000; the last may be forming."""
        length = INTERVALS[interval]
        first = max(start, now - now % length - (_MAX_CANDLES - 1) * length, min(_LAUNCH, now))
        if end < first:
            return []
        found = self._market.candles(coin, length, first, min(end, now) + 1, now)
        return [candle_json(coin, interval, candle) for candle in found]

    def forming_candle(self, coin: str, interval: str) -> Json | None:
        """Return the forming candle, if there was a trade in it."""
        now = self._exchange.now
        start = now - now % INTERVALS[interval]
        found = self._market.candles(coin, INTERVALS[interval], start, start + 1, now)
        return candle_json(coin, interval, found[0]) if found else None

    def funding_history(self, coin: str, start: int, end: int, now: int) -> list[Json]:
        """Return the hourly rates, the first 500 of the range."""
        first = max(start, min(_LAUNCH, now), HOUR)
        hours = funding_instants(first, min(end, now))
        return [
            {
                "coin": coin,
                "fundingRate": wire(self._market.funding_rate(coin, hour)),
                "premium": wire(self._market.premium(coin, hour)),
                "time": hour + FUNDING_LAG,
            }
            for hour, _ in zip(hours, range(_MAX_ROWS), strict=False)
        ]

    def predicted_fundings(self) -> list[Any]:
        """Return the next funding: hourly here, every eight hours at other venues."""
        hour = self._exchange.now // HOUR * HOUR
        found = []
        for coin in self._exchange.by_name:
            rate = self._market.funding_rate(coin, hour)
            ours = {"fundingRate": wire(rate), "nextFundingTime": hour + HOUR, "fundingIntervalHours": 1}
            other = {
                "fundingRate": wire(8 * rate),
                "nextFundingTime": hour // (8 * HOUR) * 8 * HOUR + 8 * HOUR,
                "fundingIntervalHours": 8,
            }
            found.append([coin, [["BinPerp", other], ["HlPerp", ours], ["BybitPerp", None]]])
        return found

    def turnover(self, day: int, now: int) -> Decimal:
        """Return the turnover of all coins on the day that starts at this instant."""
        known = self._turnovers.get(day)
        if known is None:
            days = (self._market.candles(coin, DAY, day, day + 1, now) for coin in self._exchange.by_name)
            known = sum((one.volume * (one.high + one.low) / 2 for found in days for one in found), ZERO)
            known = known.quantize(Decimal("0.000001"))
            if day + DAY <= now:
                self._turnovers[day] = known
        return known

    def _open_interest(self, coin: str) -> Decimal:
        """Return the market's open interest and the clients' longs."""
        sizes = (account.size_of(coin) for account in self._exchange.ledger.accounts.values())
        market = self._market.open_interest(coin, self._exchange.now)
        return market + sum((size for size in sizes if size > 0), ZERO)

    def _day(self, coin: str) -> tuple[Decimal, Decimal]:
        """Return volume and turnover of the last day, computed once a minute."""
        minute = self._exchange.now // MINUTE
        known = self._days.get(coin)
        if known is None or known[0] != minute:
            until = minute * MINUTE
            hours = self._market.candles(coin, HOUR, until - DAY, until, until)
            volume = sum((hour.volume for hour in hours), ZERO)
            turnover = sum((hour.volume * (hour.high + hour.low) / 2 for hour in hours), ZERO)
            known = self._days[coin] = (minute, volume, turnover.quantize(Decimal("0.000001")))
        return known[1], known[2]


def _rounded_price(px: Decimal, figures: int, mantissa: int, rounding: str) -> Decimal:
    step = Decimal(mantissa).scaleb(px.adjusted() - figures + 1)
    return (px / step).to_integral_value(rounding) * step
