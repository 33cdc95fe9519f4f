"""The exchange: executes clients' commands and advances time, without network, wall clock or randomness.

Every command is executed at `now`, which only `advance` changes.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from strandline_sim.hyperliquid import order_checks
from strandline_sim.hyperliquid.account import Account, Leverage
from strandline_sim.hyperliquid.ledger import Ledger
from strandline_sim.hyperliquid.liquidation import Liquidator
from strandline_sim.hyperliquid.liquidity import Liquidity
from strandline_sim.hyperliquid.margin import Margins
from strandline_sim.hyperliquid.market import Listing, MarketData
from strandline_sim.hyperliquid.matching import Matcher
from strandline_sim.hyperliquid.numbers import to_size, to_usdc, wire
from strandline_sim.hyperliquid.order_checks import Refusal
from strandline_sim.hyperliquid.orders import Grouping, Order, OrderSpec, Status, Tif
from strandline_sim.hyperliquid.rules import Rules
from strandline_sim.hyperliquid.time_step import DAY, TimeStep
from strandline_sim.tape import Tape

NEVER_PLACED: Final = "Order was never placed, already canceled, or filled."
CANNOT_MODIFY: Final = "Cannot modify canceled or filled order"
_WHOLE: Final = Decimal(1)
_MIN_CANCEL_DELAY_MS: Final = 5000
_MAX_CANCELS_PER_DAY: Final = 10


class Placed(NamedTuple):
    """An order, with the error if it was refused."""

    order: Order
    error: str | None


class Exchange:
    """The exchange of one venue."""

    def __init__(
        self, market: MarketData, listings: Sequence[Listing], tape: Tape, now: int, rules: Rules | None = None
    ) -> None:
        self.rules = rules or Rules()
        self.market = market
        self.listings = list(listings)
        self.by_name = {listing.name: listing for listing in listings}
        self.ledger = Ledger(tape, now)
        self.liquidity = Liquidity(market, self.rules.update_ms)
        self.margins = Margins(self.by_name, self.mark)
        self.matcher = Matcher(self.ledger, self.liquidity, self.margins, self.rules)
        liquidator = Liquidator(self.ledger, self.liquidity, self.margins, self.matcher, self.by_name)
        self._time_step = TimeStep(
            self.ledger, market, self.liquidity, self.margins, self.matcher, liquidator, self.rules
        )

    @property
    def now(self) -> int:
        """The exchange's time."""
        return self.ledger.now

    def mark(self, coin: str) -> Decimal:
        """Return the current mark price."""
        return self.liquidity.mark(coin, self.ledger.now)

    def account(self, address: str) -> Account | None:
        """Return the account; None before its first deposit."""
        return self.ledger.accounts.get(address)

    def advance(self, to: int) -> None:
        """Advance time, and execute everything that falls due, in order."""
        self._time_step.advance(to)

    def deposit(self, address: str, usdc: Decimal) -> None:
        """Deposit cash."""
        if usdc <= 0 or usdc != to_usdc(usdc):
            raise ValueError(f"a deposit is above zero and has six decimals at most, got {usdc}")
        self.ledger.deposit(address, usdc)

    def place(
        self, account: Account, specs: Sequence[OrderSpec], grouping: Grouping = Grouping.NONE, share: Decimal = _WHOLE
    ) -> list[Placed]:
        """Place orders one by one; `share` is the fraction of each that can fill at once, below 1 by a fault."""
        placed: list[Placed] = []
        for number, spec in enumerate(specs):
            parent = placed[0].order if grouping is Grouping.CHILDREN and number else None
            whole = grouping is Grouping.POSITION and spec.trigger is not None
            placed.append(self._place(account, spec, share, whole_position=whole, parent=parent))
        return placed

    def cancel(self, account: Account, asset: int, oid: int) -> str | None:
        """Cancel an order; return the error, if any."""
        order = account.open_orders.get(oid)
        if order is None or order.spec.asset != asset:
            return NEVER_PLACED
        self.matcher.end(order, Status.CANCELED)
        return None

    def cancel_by_cloid(self, account: Account, asset: int, cloid: str) -> str | None:
        """Cancel the newest order with this cloid; return the error, if any."""
        return self.cancel(account, asset, account.oid_of_cloid.get(cloid, 0))

    def modify(self, account: Account, oid: int | str, spec: OrderSpec, *, always_place: bool) -> Placed | str:
        """Replace an order by a new one with its own id; return the error, if any.

        Without `always_place` the old order stays if the new one would trade at once.
        """
        number = account.oid_of_cloid.get(oid, 0) if isinstance(oid, str) else oid
        old = account.open_orders.get(number)
        if old is None:
            return CANNOT_MODIFY
        if not always_place and spec.trigger is None:
            if spec.tif.is_immediate:
                return "A modified order must be able to rest."
            spec = spec._replace(tif=Tif.ALO)
        refusal = self._refusal_of_modified(account, spec)
        if refusal is not None:
            return f"{refusal.text} asset={spec.asset}"
        self.matcher.end(old, Status.CANCELED)
        return self._place(account, spec, _WHOLE)

    def update_leverage(self, account: Account, asset: int, leverage: Leverage) -> str | None:
        """Set a coin's leverage; return the error, if any."""
        listing = self.listings[asset]
        position = account.positions.get(listing.name)
        if not 1 <= leverage.value <= listing.max_leverage:
            return "Invalid leverage value"
        if position is not None and position.size:
            if leverage.is_cross is not (position.isolated is None):
                return "Cannot switch leverage type with open position."
            lacking = abs(self.margins.value(listing.name, position)) / leverage.value
            lacking -= self.margins.used(account, listing.name, position)
            if lacking > max(self.margins.available(account), Decimal(0)):
                return "Insufficient margin to decrease leverage."
            if position.isolated is not None and lacking > 0:
                self._move_margin(account, listing.name, to_usdc(lacking))
        account.leverages[listing.name] = leverage
        self.ledger.note(
            "leverage", account.address, coin=listing.name, isCross=leverage.is_cross, leverage=leverage.value
        )
        return None

    def update_isolated_margin(self, account: Account, asset: int, usdc: Decimal) -> str | None:
        """Add margin to an isolated position, or remove it; return the error, if any."""
        coin = self.listings[asset].name
        position = account.positions.get(coin)
        if position is None or position.isolated is None:
            return "Position does not use isolated margin."
        needed = abs(self.margins.value(coin, position)) / self.margins.leverage(account, coin).value
        spare = self.margins.equity(coin, position) - needed
        if usdc > self.margins.withdrawable(account) or -usdc > max(spare, Decimal(0)):
            return "Insufficient margin to update isolated margin."
        self._move_margin(account, coin, usdc)
        return None

    def schedule_cancel(self, account: Account, at: int | None) -> str | None:
        """Schedule a cancel of all orders, or remove the schedule; return the error, if any."""
        required = self.rules.schedule_cancel_volume
        if account.volume < required:
            return (
                "Cannot set scheduled cancel time until enough volume traded. "
                f"Required: ${required:f}. Traded: ${account.volume:f}."
            )
        if at is not None and at < self.now + _MIN_CANCEL_DELAY_MS:
            return "Scheduled cancel time too early, must be at least 5 seconds from now."
        if at is not None and account.cancel_all_fired.get(self.now // DAY, 0) >= _MAX_CANCELS_PER_DAY:
            return f"Too many scheduled cancels triggered today, max {_MAX_CANCELS_PER_DAY}."
        account.cancel_all_at = at
        self.ledger.note("schedule_cancel", account.address, time=None if at is None else str(at))
        return None

    def _place(
        self, account: Account, spec: OrderSpec, share: Decimal, *, whole_position: bool = False,
        parent: Order | None = None,
    ) -> Placed:  # fmt: skip
        listing = self.listings[spec.asset]
        known = account.oid_of_cloid.get(spec.cloid or "") is not None
        order = self.ledger.open(account, listing.name, spec)
        order.whole_position = whole_position
        if known and self.rules.unique_cloids:
            return self._refuse(order, Refusal(Status.REJECTED, "Order has a cloid that was used before."))
        refusal = order_checks.invalid_order(spec, listing, self.mark(listing.name), whole_position=whole_position)
        refusal = refusal or order_checks.too_many_refusal(order, account)
        if refusal is None:
            refusal = self._attach_to_parent(order, account, parent) if parent else self._refusal(order, account)
        if refusal is not None:
            return self._refuse(order, refusal)
        self.ledger.accept(order)
        if not order.rests:
            return Placed(order, None)
        self.matcher.take(order, to_size(order.size * share, listing.sz_decimals))
        return self._after_taking(order, account)

    def _refusal_of_modified(self, account: Account, spec: OrderSpec) -> Refusal | None:
        """Check the new order as far as possible before the old one is cancelled."""
        listing = self.listings[spec.asset]
        trial = Order(0, account.address, listing.name, spec, self.now, spec.size, Status.OPEN, self.now)
        refusal = order_checks.invalid_order(spec, listing, self.mark(listing.name), whole_position=False)
        if refusal is None and spec.trigger is None:
            refusal = order_checks.book_refusal(trial, self.matcher.bbo(listing.name))
        return refusal

    def _refusal(self, order: Order, account: Account) -> Refusal | None:
        held = account.size_of(order.coin)
        if order.awaits_trigger:
            return order_checks.reduce_only_refusal(order, held) if order.spec.reduce_only else None
        refusal = order_checks.trade_refusal(order, account, self.margins, self.rules)
        if refusal is None and order.spec.reduce_only:
            order.size = min(order.size, abs(held))
        return refusal or order_checks.book_refusal(order, self.matcher.bbo(order.coin))

    def _attach_to_parent(self, order: Order, account: Account, parent: Order) -> Refusal | None:
        """Attach a child order to its parent; if the parent is filled, the child waits for its trigger only."""
        if order.spec.trigger is None or not order.spec.reduce_only or order.coin != parent.coin:
            return Refusal(Status.REJECTED, "Invalid TP/SL price.")
        if order.spec.is_buy is parent.spec.is_buy:
            return order_checks.WRONG_SIDE
        if parent.is_open:
            order.parent = parent.oid
        elif parent.filled:
            if refusal := order_checks.reduce_only_refusal(order, account.size_of(order.coin)):
                return refusal
            order.size = min(order.size, parent.filled)
        else:
            return order_checks.WRONG_SIDE
        siblings = [account.orders[oid] for oid in parent.children]
        parent.children.append(order.oid)
        for sibling in siblings:
            sibling.children.append(order.oid)
            order.children.append(sibling.oid)
        return None

    def _after_taking(self, order: Order, account: Account) -> Placed:
        if order.is_open and order.spec.tif.is_immediate:
            self.matcher.end(order, Status.CANCELED if order.filled else Status.IOC_REJECTED)
            if not order.filled:
                return Placed(order, self._with_asset(order, order_checks.NO_MATCH.text))
        elif order.is_open:
            self.matcher.rest(order)
            if order.spec.reduce_only:
                self.matcher.cap_reduce_only(account, order.coin)
        return Placed(order, None)

    def _refuse(self, order: Order, refusal: Refusal) -> Placed:
        text = self._with_asset(order, refusal.text)
        self.ledger.refuse(order, refusal.status, text)
        return Placed(order, text)

    @staticmethod
    def _with_asset(order: Order, text: str) -> str:
        """Add the asset to an error, as the live venue does."""
        return f"{text} asset={order.spec.asset}"

    def _move_margin(self, account: Account, coin: str, usdc: Decimal) -> None:
        position = account.positions[coin]
        position.isolated = (position.isolated or Decimal(0)) + usdc
        account.cash -= usdc
        self.ledger.note("isolated_margin", account.address, coin=coin, usdc=wire(usdc), balance=wire(account.balance))
