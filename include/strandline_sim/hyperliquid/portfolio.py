"""The history of an account's value and profit, and its volume and fees by day."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from strandline_sim.hyperliquid.account import Account
from strandline_sim.hyperliquid.account_json import rounded
from strandline_sim.hyperliquid.numbers import ZERO, wire
from strandline_sim.hyperliquid.rules import Rules
from strandline_sim.hyperliquid.time_step import DAY

Json = dict[str, Any]
MarkAt = Callable[[str, int], Decimal]
_PERIODS: Final = {"Day": DAY, "Week": 7 * DAY, "Month": 30 * DAY, "AllTime": None}
_POINTS: Final = 24
_FEE_DAYS: Final = 15
_SPOT_TAKER, _SPOT_MAKER = "0.0007", "0.0004"


class _Value(NamedTuple):
    """What an account was worth at an instant, and how much of that was put in."""

    at: int
    value: Decimal
    deposited: Decimal


def portfolio(account: Account, mark: MarkAt, now: int) -> list[Any]:
    """Make the JSON of portfolio: each period for the whole account, and the same again for its perps."""
    found = [(name, _period(account, length, mark, now)) for name, length in _PERIODS.items()]
    return [[name[0].lower() + name[1:], data] for name, data in found] + [
        [f"perp{name}", data] for name, data in found
    ]


def user_fees(account: Account, rules: Rules, turnover: Callable[[int], Decimal], now: int) -> Json:
    """Make the JSON of userFees; `turnover` returns that of all coins on a day."""
    taker, maker = wire(rules.taker_fee), wire(rules.maker_fee)
    return {
        "dailyUserVlm": list(_daily_volumes(account, turnover, now)),
        "feeSchedule": {
            "cross": taker,
            "add": maker,
            "spotCross": _SPOT_TAKER,
            "spotAdd": _SPOT_MAKER,
            "tiers": {"vip": [], "mm": []},
            "referralDiscount": "0.0",
            "stakingDiscountTiers": [{"bpsOfMaxSupply": "0.0", "discount": "0.0"}],
        },
        "userCrossRate": taker,
        "userAddRate": maker,
        "userSpotCrossRate": _SPOT_TAKER,
        "userSpotAddRate": _SPOT_MAKER,
        "activeReferralDiscount": "0.0",
        "trial": None,
        "feeTrialEscrow": "0.0",
        "nextTrialAvailableTimestamp": None,
        "stakingLink": None,
        "activeStakingDiscount": {"bpsOfMaxSupply": "0.0", "discount": "0.0"},
    }


def _period(account: Account, length: int | None, mark: MarkAt, now: int) -> Json:
    first = account.transfers[0].time if account.transfers else now
    start = first if length is None else max(first, now - length)
    values = list(_values(account, _instants(start, now), mark))
    before = values[0].value - values[0].deposited
    return {
        "accountValueHistory": [[one.at, rounded(one.value)] for one in values],
        "pnlHistory": [[one.at, rounded(one.value - one.deposited - before)] for one in values],
        "vlm": wire(sum((fill.px * fill.size for fill in account.fills if fill.time >= start), ZERO)),
    }


def _instants(start: int, end: int) -> list[int]:
    return sorted({start + (end - start) * number // _POINTS for number in range(_POINTS + 1)})


def _values(account: Account, instants: Iterable[int], mark: MarkAt) -> Iterator[_Value]:
    """Repeat the account's events up to each instant, and value the positions of then."""
    cash = deposited = ZERO
    sizes: dict[str, Decimal] = defaultdict(Decimal)
    transfers, payments, fills = iter(account.transfers), iter(account.funding), iter(account.fills)
    transfer, payment, fill = next(transfers, None), next(payments, None), next(fills, None)
    for at in instants:
        while transfer is not None and transfer.time <= at:
            cash += transfer.usdc
            deposited += transfer.usdc if transfer.kind == "deposit" else ZERO
            transfer = next(transfers, None)
        while payment is not None and payment.time <= at:
            cash += payment.usdc
            payment = next(payments, None)
        while fill is not None and fill.time <= at:
            signed = fill.size if fill.is_buy else -fill.size
            cash -= signed * fill.px + fill.fee
            sizes[fill.coin] += signed
            fill = next(fills, None)
        held = ((coin, size) for coin, size in sizes.items() if size)
        yield _Value(at, cash + sum((size * mark(coin, at) for coin, size in held), ZERO), deposited)


def _daily_volumes(account: Account, turnover: Callable[[int], Decimal], now: int) -> Iterator[Json]:
    """Yield the volumes of the newest days since the first trade."""
    if not account.fills:
        return
    volumes: dict[tuple[int, bool], Decimal] = defaultdict(Decimal)
    for fill in account.fills:
        volumes[fill.time // DAY, fill.crossed] += fill.px * fill.size
    today = now // DAY
    for day in range(max(account.fills[0].time // DAY, today - _FEE_DAYS + 1), today + 1):
        yield {
            "date": datetime.fromtimestamp(day * DAY // 1000, UTC).date().isoformat(),
            "userCross": wire(volumes[day, True]),
            "userAdd": wire(volumes[day, False]),
            "exchange": wire(turnover(day * DAY)),
        }
