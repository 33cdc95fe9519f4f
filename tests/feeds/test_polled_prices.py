"""While a stream is down for long its prices are polled, until it is back."""

import pytest

from strandline.venues.hyperliquid import feed, price_poll
from strandline_sim.faults import FaultKind, Rule
from tests.conftest import Database
from tests.feeds.environment import Environment, run_with_sidecar, until
from tests.feeds.test_sidecar import MAJORS

POLLED = """
    SELECT count(*) FROM ticks t JOIN instruments i USING (instrument_id)
    WHERE i.token_chain = 'hyperliquid' AND t.kind = 'p' AND t.source = 'r' AND i.token_contract = :coin
"""


def test_prices_are_polled_while_the_stream_is_down(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "_LONG_OUTAGE_SECONDS", 0.3)
    monkeypatch.setattr(price_poll, "_POLL_SECONDS", 0.05)
    monkeypatch.setattr(price_poll, "_CHECK_SECONDS", 0.05)

    async def scenario(env: Environment) -> None:
        await env.wait_for_subscriptions()
        await env.advance(5)
        await until(lambda: env.scalar("SELECT count(*) FROM stream_coverage WHERE through IS NULL") == len(MAJORS))
        assert not any(env.scalar(POLLED, coin=coin) for coin in MAJORS)
        env.world.faults.add(Rule(route="hyperliquid/ws/connect", kind=FaultKind.REFUSE, times=None))
        for socket in list(env.world.hyperliquid._broadcaster.sockets):
            socket.abort()

        def all_polled() -> bool:
            return all(env.scalar(POLLED, coin=coin) for coin in MAJORS)

        for _ in range(200):
            await env.advance(2)
            if all_polled():
                break
        assert all_polled()
        high_low = env.query(
            "SELECT t.price, (SELECT avg(price) FROM ticks o WHERE o.instrument_id = t.instrument_id AND o.kind = 't')"
            " AS mean FROM ticks t JOIN instruments i USING (instrument_id)"
            " WHERE t.kind = 'p' AND i.token_chain = 'hyperliquid'"
        )
        assert all(row.mean * 0.9 < row.price < row.mean * 1.1 for row in high_low)
        assert env.scalar("SELECT count(*) FROM outages WHERE ends_at = 'infinity'") == len(MAJORS)
        env.world.faults.clear()
        await env.wait_for_subscriptions()
        await until(lambda: env.scalar("SELECT count(*) FROM outages WHERE ends_at = 'infinity'") == 0)
        await env.advance(1)
        polled = env.scalar(POLLED, coin="BTC")
        await env.advance(30)
        assert env.scalar(POLLED, coin="BTC") <= polled + 1

    run_with_sidecar(database.url, scenario)
