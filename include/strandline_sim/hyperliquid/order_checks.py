"""Checks new orders, with the venue's own error messages."""

from decimal import Decimal
from typing import Final, NamedTuple

from strandline_sim.hyperliquid.account import Account
from strandline_sim.hyperliquid.margin import Margins
from strandline_sim.hyperliquid.market import Listing
from strandline_sim.hyperliquid.matching import Bbo
from strandline_sim.hyperliquid.numbers import MIN_NOTIONAL, ZERO, is_size, is_tick
from strandline_sim.hyperliquid.orders import Order, OrderSpec, Status, Tif
from strandline_sim.hyperliquid.rules import Rules

_MAX_DISTANCE: Final = Decimal("0.8")
_OPEN_ORDERS: Final = 1_000
_VOLUME_PER_OPEN_ORDER: Final = 5_000_000
_MAX_OPEN_ORDERS: Final = 5_000
_MAX_MARKET_NOTIONAL: Final = ((25, 30_000_000), (20, 5_000_000), (10, 2_000_000), (0, 500_000))
"""By the listing's maximum leverage."""

_LIMIT_ORDER_FACTOR: Final = 10


class Refusal(NamedTuple):
    """The status of a refused order, and the error for the client."""

    status: Status
    text: str


WRONG_SIDE: Final = Refusal(Status.REDUCE_ONLY_REJECTED, "Reduce only order would increase position.")
NO_MATCH: Final = Refusal(Status.IOC_REJECTED, "Order could not immediately match against any resting orders.")


def invalid_order(spec: OrderSpec, listing: Listing, mark: Decimal, *, whole_position: bool) -> Refusal | None:
    """Check the fields of an order."""
    if not spec.px or (spec.trigger is not None and not spec.trigger.px):
        return Refusal(Status.REJECTED, "Order has invalid price.")
    if not spec.size and not whole_position:
        return Refusal(Status.REJECTED, "Order has zero size.")
    if not is_size(spec.size, listing.sz_decimals):
        return Refusal(Status.REJECTED, "Order has invalid size.")
    prices = [spec.px] if spec.trigger is None else [spec.px, spec.trigger.px]
    if not all(is_tick(px, listing.sz_decimals) for px in prices):
        return Refusal(Status.TICK_REJECTED, "Price must be divisible by tick size.")
    if spec.trigger is None and abs(spec.px - mark) > _MAX_DISTANCE * mark:
        return Refusal(Status.ORACLE_REJECTED, "Order price cannot be more than 80% away from the reference price")
    if not whole_position and spec.px * spec.size < MIN_NOTIONAL:
        return Refusal(Status.MIN_NOTIONAL_REJECTED, f"Order must have minimum value of ${MIN_NOTIONAL}.")
    if spec.px * spec.size > _max_notional(spec, listing):
        return Refusal(Status.REJECTED, "Order has too large value.")
    if spec.trigger is not None and spec.trigger.fires_at(mark, spec.is_buy):
        return Refusal(Status.TRIGGER_REJECTED, "Invalid TP/SL price.")
    return None


def reduce_only_refusal(order: Order, held: Decimal) -> Refusal | None:
    """Check that a reduce-only order has a position to reduce."""
    if not held or (held > 0) is order.spec.is_buy:
        return WRONG_SIDE
    return None


def margin_refusal(order: Order, account: Account, margins: Margins, rules: Rules) -> Refusal | None:
    """Check that the margin is enough for new exposure and its fee."""
    need = margins.increase(account, order.coin, order.spec.is_buy, order.size)
    fee = margins.mark(order.coin) * order.size * rules.taker_fee
    if need > 0 and need + fee > margins.available(account):
        return Refusal(Status.MARGIN_REJECTED, "Insufficient margin to place order.")
    return None


def trade_refusal(order: Order, account: Account, margins: Margins, rules: Rules) -> Refusal | None:
    """Check an order that is about to trade: when it is placed, and again when its trigger fires."""
    if order.spec.reduce_only:
        return reduce_only_refusal(order, account.size_of(order.coin))
    return margin_refusal(order, account, margins, rules)


def too_many_refusal(order: Order, account: Account) -> Refusal | None:
    """Check that the account may have one more open order; from a thousand on, none that depends on a position."""
    count = len(account.open_orders)
    limit = min(_OPEN_ORDERS + int(account.volume // _VOLUME_PER_OPEN_ORDER), _MAX_OPEN_ORDERS)
    may_rest = order.awaits_trigger or not order.spec.tif.is_immediate
    depends = order.awaits_trigger or order.spec.reduce_only
    if (may_rest and count >= limit) or (depends and count >= _OPEN_ORDERS):
        return Refusal(Status.TOO_MANY_REJECTED, f"Too many open orders. Current limit is {limit}.")
    return None


def book_refusal(order: Order, bbo: Bbo) -> Refusal | None:
    """Check against the book: Alo must not trade at once, Ioc must."""
    other = bbo.ask if order.spec.is_buy else bbo.bid
    crosses = other is not None and order.crosses(other)
    if order.spec.tif is Tif.ALO and crosses:
        best = f"{_plain(bbo.bid)}@{_plain(bbo.ask)}"
        text = f"Post only order would have immediately matched, bbo was {best}."
        return Refusal(Status.POST_ONLY_REJECTED, text)
    return NO_MATCH if order.spec.tif.is_immediate and not crosses else None


def _max_notional(spec: OrderSpec, listing: Listing) -> int:
    market = next(notional for leverage, notional in _MAX_MARKET_NOTIONAL if listing.max_leverage >= leverage)
    is_market = spec.trigger is not None and spec.trigger.is_market
    return market if is_market else market * _LIMIT_ORDER_FACTOR


def _plain(px: Decimal | None) -> str:
    return f"{(px or ZERO).normalize():f}"
