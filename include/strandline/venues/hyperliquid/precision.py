"""Prices and sizes that the venue takes: five significant figures and 6 − szDecimals decimals; integers always."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Final

from strandline.model.exact import Price, Quantity
from strandline.model.side import Side

_SIGNIFICANT: Final = 5
_DECIMALS: Final = 6
_WIDE: Final = Context(prec=120)


def lot(sz_decimals: int) -> Quantity:
    """The smallest size."""
    return Quantity(Decimal(1).scaleb(-sz_decimals))


def limit_price(reference: Price, slippage_bps: int, side: Side, sz_decimals: int) -> Price | None:
    """The worst price within the budget that the venue takes; None if there is none above zero."""
    away = Decimal(slippage_bps).scaleb(-4)
    budget = _WIDE.multiply(reference.decimal, 1 + away if side is Side.BUY else 1 - away)
    valid = budget.quantize(_step(budget, sz_decimals), ROUND_FLOOR if side is Side.BUY else ROUND_CEILING, _WIDE)
    return Price(valid) if valid > 0 else None


def _step(price: Decimal, sz_decimals: int) -> Decimal:
    decimals = min(_SIGNIFICANT - 1 - price.adjusted(), _DECIMALS - sz_decimals)
    return Decimal(1).scaleb(-max(decimals, 0))
