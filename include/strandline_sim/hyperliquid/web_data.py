"""The venue's JSON of webData2 and webData3: what its own page shows of an account."""

from typing import Any

from strandline_sim.hyperliquid import account_json
from strandline_sim.hyperliquid.account import Account
from strandline_sim.hyperliquid.agents import Agents
from strandline_sim.hyperliquid.exchange import Exchange
from strandline_sim.hyperliquid.numbers import ZERO, wire
from strandline_sim.hyperliquid.public_data import PublicData

Json = dict[str, Any]


def web_data2(account: Account, exchange: Exchange, agents: Agents, public: PublicData) -> Json:
    """Make the JSON of webData2; there are no vaults, no TWAP orders and no spot."""
    return {
        "clearinghouseState": account_json.clearinghouse_state(account, exchange.margins, exchange.now),
        "leadingVaults": [],
        "totalVaultEquity": "0.0",
        "openOrders": [account_json.frontend_order(order) for order in account.open_orders.values()],
        "meta": public.meta(),
        "assetCtxs": [public.context(coin) for coin in exchange.by_name],
        "twapStates": [],
        "spotState": account_json.spot_state(),
        "spotAssetCtxs": [],
        "perpsAtOpenInterestCap": [],
        **_user_state(account, exchange, agents),
    }


def web_data3(account: Account, exchange: Exchange, agents: Agents) -> Json:
    """Make the JSON of webData3, with the state of the one dex."""
    return {
        "userState": {**_user_state(account, exchange, agents), "abstraction": "disabled"},
        "perpDexStates": [{"totalVaultEquity": "0.0", "perpsAtOpenInterestCap": [], "leadingVaults": []}],
    }


def _user_state(account: Account, exchange: Exchange, agents: Agents) -> Json:
    agent = agents.unnamed(account.address, exchange.now)
    return {
        "agentAddress": agent and agent.address,
        "agentValidUntil": agent and agent.valid_until,
        "cumLedger": wire(sum((one.usdc for one in account.transfers if one.kind == "deposit"), ZERO)),
        "serverTime": exchange.now,
        "isVault": False,
        "user": account.address,
    }
