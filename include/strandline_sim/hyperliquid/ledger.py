"""Books fills, cash and orders, and writes each change of an account to the tape."""

import dataclasses
import hashlib
from decimal import Decimal
from typing import Any, Final, Protocol

from strandline_sim.hyperliquid.account import (
    Account,
    Fill,
    FundingPayment,
    Leverage,
    Liquidation,
    LiquidationStart,
    OrderUpdate,
    Transfer,
)
from strandline_sim.hyperliquid.numbers import ZERO, to_usdc, wire
from strandline_sim.hyperliquid.orders import Order, OrderSpec, Status
from strandline_sim.tape import Tape

VENUE: Final = "hyperliquid"
_FIRST_OID: Final = 100_000_000_001


class Listener(Protocol):
    """Receives the events of accounts."""

    def order_changed(self, update: OrderUpdate) -> None:
        """An order was accepted, refused, filled or cancelled."""

    def filled(self, address: str, fill: Fill) -> None:
        """An account traded."""

    def funded(self, address: str, payment: FundingPayment) -> None:
        """A position paid or received funding."""

    def deposited(self, address: str, transfer: Transfer) -> None:
        """An account received a deposit."""

    def liquidated(self, address: str, start: LiquidationStart) -> None:
        """A liquidation of the account began."""


class Ledger:
    """All accounts; every change of one is made here."""

    def __init__(self, tape: Tape, now: int) -> None:
        self.now = now
        self.accounts: dict[str, Account] = {}
        self.listeners: list[Listener] = []
        self._tape = tape
        self._oid = _FIRST_OID - 1
        self._events = 0

    def note(self, kind: str, account: str, **data: object) -> None:
        """Write an entry to the tape."""
        self._tape.append(self.now, VENUE, kind, {"account": account, **data})

    def deposit(self, address: str, usdc: Decimal) -> Account:
        """Deposit cash; the first deposit creates the account."""
        account = self.accounts.setdefault(address, Account(address))
        self.transfer(account, usdc, "deposit")
        return account

    def transfer(self, account: Account, usdc: Decimal, kind: str) -> None:
        """Add or remove cash without a trade."""
        account.cash += usdc
        transfer = Transfer(self.now, usdc, kind, self.new_hash())
        account.transfers.append(transfer)
        self.note(kind, account.address, usdc=wire(usdc), balance=wire(account.balance))
        if kind == "deposit":
            for listener in self.listeners:
                listener.deposited(account.address, transfer)

    def open(self, account: Account, coin: str, spec: OrderSpec) -> Order:
        """Create an order with an id, which is not in the book yet."""
        self._oid += 1
        order = Order(
            oid=self._oid,
            owner=account.address,
            coin=coin,
            spec=spec,
            placed_at=self.now,
            size=spec.size,
            status=Status.OPEN,
            status_at=self.now,
            awaits_trigger=spec.trigger is not None,
        )
        account.orders[order.oid] = order
        if spec.cloid is not None:
            account.oid_of_cloid[spec.cloid] = order.oid
        return order

    def accept(self, order: Order) -> None:
        """Accept an order."""
        self.accounts[order.owner].open_orders[order.oid] = order
        self.note("order_accepted", order.owner, **_order_data(order))
        self._notify(order, Status.OPEN)

    def refuse(self, order: Order, status: Status, text: str) -> None:
        """Refuse an order with its final status."""
        self.note("order_refused", order.owner, **_order_data(order), status=status, error=text)
        self._notify(order, status)

    def set_status(self, order: Order, status: Status) -> None:
        """Set the status of an open order, which may end it."""
        if status not in {Status.FILLED, Status.OPEN}:
            kind = "trigger" if status is Status.TRIGGERED else "cancel"
            remaining = wire(order.remaining)
            self.note(kind, order.owner, oid=order.oid, coin=order.coin, status=status, remaining=remaining)
        self._notify(order, status)
        if not order.is_open:
            self.accounts[order.owner].open_orders.pop(order.oid, None)

    def fill(
        self, order: Order, px: Decimal, size: Decimal, fee_rate: Decimal, leverage: Leverage, tid: int, *,
        crossed: bool, liquidation: Liquidation | None = None,
    ) -> Fill:  # fmt: skip
        """Book a fill of the order."""
        account = self.accounts[order.owner]
        signed = size if order.spec.is_buy else -size
        fee = to_usdc(px * size * fee_rate)
        effect = account.trade(order.coin, signed, px, fee, leverage)
        after = effect.start_position + signed
        fill = Fill(
            coin=order.coin,
            px=px,
            size=size,
            is_buy=order.spec.is_buy,
            time=self.now,
            start_position=effect.start_position,
            direction=_direction(effect.start_position, after, leverage, liquidated=liquidation is not None),
            closed_pnl=effect.closed_pnl,
            hash=self.new_hash(),
            oid=order.oid,
            crossed=crossed,
            fee=fee,
            tid=tid,
            cloid=order.spec.cloid,
            liquidation=liquidation,
        )
        order.filled += size
        order.filled_value += px * size
        account.volume += px * size
        account.fills.append(fill)
        self.note(
            "fill", order.owner, **_fill_data(fill), remaining=wire(order.remaining), balance=wire(account.balance)
        )
        for listener in self.listeners:
            listener.filled(order.owner, fill)
        return fill

    def pay_funding(self, account: Account, coin: str, oracle: Decimal, rate: Decimal) -> None:
        """Book the hourly funding of a position; longs pay a positive rate."""
        position = account.positions[coin]
        usdc = -to_usdc(position.size * oracle * rate)
        if position.isolated is None:
            account.cash += usdc
        else:
            position.isolated += usdc
        position.funding_ever -= usdc
        position.funding_since_open -= usdc
        position.funding_since_change -= usdc
        payment = FundingPayment(self.now, coin, usdc, position.size, rate, self.new_hash())
        account.funding.append(payment)
        self.note(
            "funding", account.address, coin=coin, usdc=wire(usdc), szi=wire(position.size), oraclePx=wire(oracle),
            fundingRate=wire(rate), balance=wire(account.balance),
        )  # fmt: skip
        for listener in self.listeners:
            listener.funded(account.address, payment)

    def start_liquidation(self, account: Account, coins: list[str], notional: Decimal, account_value: Decimal) -> None:
        """Book the start of a liquidation of these positions, which are all cross or one isolated one."""
        positions = {coin: account.positions[coin].size for coin in coins}
        is_cross = account.positions[coins[0]].isolated is None
        start = LiquidationStart(self.now, positions, notional, account_value, is_cross, self.new_hash())
        account.liquidations.append(start)
        for listener in self.listeners:
            listener.liquidated(account.address, start)

    def new_tid(self) -> int:
        """Make a trade id of 50 bits, the same in every run."""
        return int(self.new_hash(), 16) & ((1 << 50) - 1)

    def new_hash(self) -> str:
        """Make a transaction hash, the same in every run."""
        self._events += 1
        return "0x" + hashlib.sha256(f"{VENUE}:{self._events}:{self.now}".encode()).hexdigest()

    def _notify(self, order: Order, status: Status) -> None:
        order.status, order.status_at = status, self.now
        update = OrderUpdate(dataclasses.replace(order), status, self.now)
        self.accounts[order.owner].history.append(update)
        for listener in self.listeners:
            listener.order_changed(update)


def _order_data(order: Order) -> dict[str, Any]:
    spec = order.spec
    data: dict[str, Any] = {
        "oid": order.oid,
        "coin": order.coin,
        "side": "B" if spec.is_buy else "A",
        "px": wire(spec.px),
        "sz": wire(order.size),
        "tif": spec.tif,
        "reduceOnly": spec.reduce_only,
        "cloid": spec.cloid,
    }
    if spec.trigger is not None:
        data |= {"triggerPx": wire(spec.trigger.px), "tpsl": "tp" if spec.trigger.is_take_profit else "sl"}
    return data


def _fill_data(fill: Fill) -> dict[str, Any]:
    return {
        "coin": fill.coin,
        "px": wire(fill.px),
        "sz": wire(fill.size),
        "side": "B" if fill.is_buy else "A",
        "startPosition": wire(fill.start_position),
        "dir": fill.direction,
        "closedPnl": wire(fill.closed_pnl),
        "fee": wire(fill.fee),
        "crossed": fill.crossed,
        "liquidation": None if fill.liquidation is None else fill.liquidation.method,
        "oid": fill.oid,
        "tid": fill.tid,
        "cloid": fill.cloid,
    }


def _direction(before: Decimal, after: Decimal, leverage: Leverage, *, liquidated: bool) -> str:
    side = "Long" if (before or after) > ZERO else "Short"
    if liquidated:
        return f"Liquidated {'Cross' if leverage.is_cross else 'Isolated'} {side}"
    if before * after < 0:
        return "Long > Short" if before > 0 else "Short > Long"
    return f"{'Open' if abs(after) > abs(before) else 'Close'} {side}"
