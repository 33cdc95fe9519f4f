"""Turns an intent into a swap plan, or skips it with a reason."""

import base64
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from solders.message import MessageV0
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from strandline.model.exact import Amount, Money, Price, Quantity, Ratio
from strandline.model.intent import ExecutionIntent, Urgency
from strandline.model.plan import ExecutionPlan, OrderKind, SkipExecution
from strandline.model.position import Position
from strandline.model.side import Side
from strandline.model.strategy import Execution
from strandline.venues.solana import units
from strandline.venues.solana.balances import Balances, TokenHolding, read_balances
from strandline.venues.solana.checks import checked
from strandline.venues.solana.compute_budget import made_unique
from strandline.venues.solana.jupiter import Jupiter, Quote, RefusedError
from strandline.venues.solana.node import VALID_BLOCKS, Node
from strandline.venues.solana.plan_details import PlanDetails
from strandline.venues.solana.prices import MIN_NOTIONAL, WRAPPED_SOL
from strandline.venues.solana.simulation import simulate

_SLOT: Final = timedelta(milliseconds=400)
_MAX_LIFETIME: Final = VALID_BLOCKS * _SLOT
_FEE_LEVELS: Final = {Urgency.NORMAL: "medium", Urgency.HIGH: "veryHigh"}
_NO_ROUTE: Final = frozenset(
    {
        "NO_ROUTES_FOUND",
        "COULD_NOT_FIND_ANY_ROUTE",
        "ROUTE_PLAN_DOES_NOT_CONSUME_ALL_THE_AMOUNT",
        "MARKET_NOT_FOUND",
        "CANNOT_COMPUTE_OTHER_AMOUNT_THRESHOLD",
    }
)
_NOT_TRADABLE: Final = frozenset({"TOKEN_NOT_TRADABLE", "CIRCULAR_ARBITRAGE_IS_DISABLED"})


class Preparation(NamedTuple):
    """Prepares swaps of one wallet within its limits."""

    jupiter: Jupiter
    node: Node
    wallet: str
    limits: Execution
    clock: Callable[[], datetime]

    async def plan(self, intent: ExecutionIntent, position: Position, attempt: int) -> ExecutionPlan:
        """Plan one swap, checked and simulated, or raise `SkipExecution`. Entries pay in USDC, exits are paid in it."""
        now = self.clock()
        if now >= intent.expires_at:
            raise SkipExecution("expired", f"it was good until {intent.expires_at:%H:%M:%S}")
        balances = await read_balances(self.node, self.wallet, intent.token_contract)
        self._refuse_without_gas(intent, balances)
        buying = intent.side is Side.BUY
        amount = _to_spend(intent, balances) if buying else _to_sell(intent, position, balances)
        paid, got = (balances.usdc, balances.token) if buying else (balances.token, balances.usdc)
        quote = await self._quote(paid, got, amount, intent.max_slippage_bps)
        _refuse_bad_terms(intent, quote, balances.token.decimals)
        sol_price = Price(await self.jupiter.price(WRAPPED_SOL))
        deadline = min(intent.expires_at, now + _MAX_LIFETIME)
        slots = max(1, (deadline - now) // _SLOT)
        swap = await self.jupiter.swap(quote, self.wallet, _FEE_LEVELS[intent.urgency], slots)
        message = made_unique(checked(swap.swap_transaction, self.wallet), intent.intent_id.int + attempt)
        details = PlanDetails(
            transaction=_unsigned(message),
            last_valid_height=swap.last_valid_block_height,
            input_mint=paid.mint,
            output_mint=got.mint,
            token_decimals=balances.token.decimals,
            amount_in=amount,
            expected_out=quote.expected_out,
            least_out=quote.least_out,
            reference_price=intent.decision_price,
            sol_price=sol_price,
        )
        await simulate(self.node, details, self.wallet, balances)
        return _plan(intent, attempt, details, now, deadline)

    def _refuse_without_gas(self, intent: ExecutionIntent, balances: Balances) -> None:
        """Refuse entries without gas beyond the reserve; exits may use it, and the simulation shows if it suffices."""
        reserve = units.raw(Amount.from_float(self.limits.sol_gas_reserve), units.SOL_DECIMALS)
        if not intent.reduce_only and balances.lamports < reserve:
            raise SkipExecution("gas_low", f"{units.sol(balances.lamports)} SOL, the reserve is {units.sol(reserve)}")

    async def _quote(self, paid: TokenHolding, got: TokenHolding, amount: int, slippage_bps: int) -> Quote:
        try:
            return await self.jupiter.quote(paid.mint, got.mint, amount, slippage_bps)
        except RefusedError as refusal:
            if refusal.code in _NO_ROUTE:
                raise SkipExecution("no_route", str(refusal)) from refusal
            if refusal.code in _NOT_TRADABLE:
                raise SkipExecution("not_tradable", str(refusal)) from refusal
            raise


def _to_spend(intent: ExecutionIntent, balances: Balances) -> int:
    notional = intent.notional or Money(0)
    if notional < MIN_NOTIONAL:
        raise SkipExecution("min_notional", f"{notional} is less than {MIN_NOTIONAL}")
    amount = units.raw(notional, units.USDC_DECIMALS)
    if amount > balances.usdc.amount:
        raise SkipExecution(
            "insufficient_balance", f"{notional} USDC wanted, {units.dollars(balances.usdc.amount)} there"
        )
    return amount


def _to_sell(intent: ExecutionIntent, position: Position, balances: Balances) -> int:
    """Sell no more than the row holds, nor more than the wallet does.

    If the wallet holds less than the ledger says, the rest is sold: reconciliation reports the difference, and
    waiting would only keep the risk.
    """
    held = position.holding.quantity
    wanted = held if intent.exit_reason is not None else min(intent.quantity or Quantity(0), held)
    amount = min(units.raw(wanted, balances.token.decimals), balances.token.amount)
    if not amount:
        available = units.quantity(balances.token.amount, balances.token.decimals)
        raise SkipExecution("nothing_to_sell", f"the row holds {held}, the wallet {available}")
    return amount


def _refuse_bad_terms(intent: ExecutionIntent, quote: Quote, decimals: int) -> None:
    """Refuse entries at a bad price, which may wait for a better one; exits never, unless they are dust."""
    if quote.least_out < 1:
        raise SkipExecution("no_route", "it would bring nothing")
    if intent.reduce_only:
        proceeds = units.dollars(quote.expected_out)
        if proceeds < MIN_NOTIONAL:
            raise SkipExecution("dust", f"it would bring {proceeds}, less than {MIN_NOTIONAL}")
        return
    budget = Decimal(intent.max_slippage_bps).scaleb(-4)
    offered = units.price(quote.amount_in, quote.expected_out, decimals)
    if offered > intent.decision_price.scaled(Ratio(1 + budget)):
        raise SkipExecution("price_drift", f"{offered}, decided at {intent.decision_price}")
    if abs(quote.price_impact_pct) > budget:
        raise SkipExecution("price_impact", f"{quote.price_impact_pct:%} by itself")


def _unsigned(message: MessageV0) -> str:
    signatures = [Signature.default()] * message.header.num_required_signatures
    return base64.b64encode(bytes(VersionedTransaction.populate(message, signatures))).decode()


def _plan(
    intent: ExecutionIntent, attempt: int, details: PlanDetails, now: datetime, deadline: datetime
) -> ExecutionPlan:
    """Make the plan with the worst case of quantity and limit, so that the notional of a buy is what it pays."""
    buying = intent.side is Side.BUY
    usdc, tokens = (details.amount_in, details.least_out) if buying else (details.least_out, details.amount_in)
    return ExecutionPlan(
        intent_id=intent.intent_id,
        attempt=attempt,
        venue=intent.venue,
        token_contract=intent.token_contract,
        side=intent.side,
        kind=OrderKind.SWAP,
        quantity=units.quantity(tokens, details.token_decimals),
        limit_price=units.price(usdc, tokens, details.token_decimals),
        reduce_only=intent.reduce_only,
        prepared_at=now,
        deadline=deadline,
        details=details.details(),
    )
