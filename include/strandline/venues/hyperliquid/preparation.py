"""Turns an intent into an order plan, or skips it with a reason."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from strandline.model.exact import Money, Price, Quantity, Ratio
from strandline.model.intent import ExecutionIntent
from strandline.model.plan import ExecutionPlan, OrderKind, SkipExecution
from strandline.model.position import Position
from strandline.model.strategy import Execution
from strandline.venues.hyperliquid.leverage import LeverageSetting, target_leverage
from strandline.venues.hyperliquid.plan_details import PlanDetails
from strandline.venues.hyperliquid.precision import limit_price, lot
from strandline.venues.hyperliquid.responses import Account, Asset, Context, Market, Status
from strandline.venues.hyperliquid.rest import Rest
from strandline.venues.hyperliquid.signing import Signer

MIN_NOTIONAL: Final = Money(10)
TAKER_FEE: Final = Ratio("0.00045")
"""The venue's highest fee."""

_MAX_LIFETIME: Final = timedelta(seconds=30)
"""The venue refuses the order after this, which bounds how long its outcome can stay unknown."""
_HOURS: Final = 8


class Listed(NamedTuple):
    """A listed coin with its current prices and funding."""

    number: int
    asset: Asset
    context: Context

    @property
    def price(self) -> Price:
        """The mid price, or the mark price while a side of the book is empty."""
        return Price(self.context.mid_px or self.context.mark_px)


class Preparation(NamedTuple):
    """Prepares orders of one account within its limits."""

    rest: Rest
    signer: Signer
    address: str
    limits: Execution
    clock: Callable[[], datetime]

    def plan(self, intent: ExecutionIntent, position: Position, attempt: int) -> ExecutionPlan:
        """Plan one order that is valid at the venue, or raise `SkipExecution`."""
        now = self.clock()
        if now >= intent.expires_at:
            raise SkipExecution("expired", f"it was good until {intent.expires_at:%H:%M:%S}")
        self._refuse_maintenance()
        listed = self._listed(intent.token_contract)
        account = self.rest.request(Account, type="clearinghouseState", user=self.address)
        deadline = min(intent.expires_at, now + _MAX_LIFETIME)
        if intent.reduce_only:
            leverage, limit = None, _limit(intent, listed.price, listed.asset)
            quantity = _to_sell(intent, position, _position_size(account, listed.asset.name), limit, listed.asset)
        else:
            leverage = self._entry_leverage(intent, listed)
            limit = _limit(intent, intent.decision_price, listed.asset)
            quantity = _to_buy(intent, limit, listed.asset)
            _refuse_without_margin(account, limit * quantity, leverage)
            self._leverage_setting(listed).set(leverage, now, deadline)
        details = PlanDetails(
            asset=listed.number, reference_price=intent.decision_price, venue_price=listed.price, leverage=leverage
        )
        return ExecutionPlan(
            intent_id=intent.intent_id,
            attempt=attempt,
            venue=intent.venue,
            token_contract=intent.token_contract,
            side=intent.side,
            kind=OrderKind.IOC,
            quantity=quantity,
            limit_price=limit,
            reduce_only=intent.reduce_only,
            prepared_at=now,
            deadline=deadline,
            details=details.details(),
        )

    def _refuse_maintenance(self) -> None:
        status = self.rest.request(Status, type="exchangeStatus")
        if status.special_statuses:
            raise SkipExecution("maintenance", str(status.special_statuses))

    def _listed(self, coin: str) -> Listed:
        market = self.rest.request(Market, type="metaAndAssetCtxs")
        for number, (asset, context) in enumerate(zip(market.meta.universe, market.contexts, strict=True)):
            if asset.name == coin:
                if asset.is_delisted:
                    raise SkipExecution("delisted", f"{coin} is not traded any more")
                return Listed(number, asset, context)
        raise SkipExecution("unknown_instrument", f"Hyperliquid lists no {coin}")

    def _entry_leverage(self, intent: ExecutionIntent, listed: Listed) -> int:
        """Apply the checks that hold for entries and never for exits; return the leverage."""
        _refuse_drift(intent, listed.price)
        funding = abs(Decimal(listed.context.funding)) * _HOURS * 100
        if funding > Decimal(str(self.limits.funding_skips_entries_pct)):
            raise SkipExecution("funding", f"{funding.normalize():f} % in eight hours")
        return target_leverage(self.limits, funding, listed.asset)

    def _leverage_setting(self, listed: Listed) -> LeverageSetting:
        return LeverageSetting(self.rest, self.signer, self.address, listed.asset.name, listed.number)


def _refuse_drift(intent: ExecutionIntent, price: Price) -> None:
    """Refuse a price far from the decision's, even a better one: the decision was made for other circumstances."""
    away = abs(price.decimal - intent.decision_price.decimal) * 10_000
    if away > intent.max_slippage_bps * intent.decision_price.decimal:
        raise SkipExecution("price_drift", f"{price}, decided at {intent.decision_price}")


def _limit(intent: ExecutionIntent, reference: Price, asset: Asset) -> Price:
    limit = limit_price(reference, intent.max_slippage_bps, intent.side, asset.sz_decimals)
    if limit is None:
        raise SkipExecution("rounding", f"no price near {reference} is one that the venue takes")
    return limit


def _to_buy(intent: ExecutionIntent, limit: Price, asset: Asset) -> Quantity:
    """Round down, so that the order costs no more than the notional even at its limit price."""
    notional = intent.notional or Money(0)
    quantity = notional.buys(limit, lot(asset.sz_decimals))
    if limit * quantity < MIN_NOTIONAL:
        raise SkipExecution("min_notional", f"{notional} buys {quantity}, worth less than {MIN_NOTIONAL}")
    return quantity


def _to_sell(intent: ExecutionIntent, position: Position, available: Quantity, limit: Price, asset: Asset) -> Quantity:
    """Sell no more than the row holds, nor more than the account does.

    If the account holds less than the ledger says, the rest is sold: reconciliation reports the difference, and
    waiting would only keep the risk.
    """
    held = position.holding.quantity
    wanted = held if intent.exit_reason is not None else min(intent.quantity or Quantity(0), held)
    if not min(held, available):
        raise SkipExecution("nothing_to_sell", f"the row holds {held}, the venue {available}")
    quantity = min(wanted, available).in_lots(lot(asset.sz_decimals))
    if limit * quantity < MIN_NOTIONAL:
        raise SkipExecution("dust", f"{quantity} is worth less than {MIN_NOTIONAL}")
    return quantity


def _position_size(account: Account, coin: str) -> Quantity:
    """Read the size of the account's long position."""
    sizes = [Decimal(held.position.szi) for held in account.asset_positions if held.position.coin == coin]
    return Quantity(max(sum(sizes, Decimal(0)), Decimal(0)))


def _refuse_without_margin(account: Account, notional: Money, leverage: int) -> None:
    margin = account.cross_margin_summary
    free = Decimal(margin.account_value) - Decimal(margin.total_margin_used)
    needed = notional.decimal / leverage + (notional * TAKER_FEE).decimal
    if needed > free:
        raise SkipExecution("insufficient_balance", f"{needed:.2f} USDC needed, {free:.2f} free")
