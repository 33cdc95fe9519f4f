"""Single faults: what is reported, and the order's final result."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from strandline.model.order import SignedOrder
from strandline.model.result import ExecutionResult, OrderStatus, StillUnknown
from strandline.venues.solana.jupiter import JupiterError, RefusedError
from strandline.venues.solana.node import NodeError
from strandline_sim.faults import FaultKind, Rule
from strandline_sim.solana.blocks import FINAL_BLOCKS
from tests.strandline_sim.solana.simulation import BONK
from tests.venues.solana.simulated_solana import SimulatedSolana, agrees, position_row, signed_order

ENOUGH = 1_000_000_000
SEND, STATUS, LANDING = "solana/rpc/sendTransaction", "solana/rpc/getSignatureStatuses", "solana/landing"
TRANSACTION = "solana/rpc/getTransaction"


@pytest.mark.parametrize(
    "fault",
    [
        Rule(route=SEND, kind=FaultKind.DROP_ANSWER, times=2),
        Rule(route=SEND, kind=FaultKind.DROP_REQUEST, times=3),
        Rule(route=SEND, kind=FaultKind.STATUS, value=429),
        Rule(route=SEND, kind=FaultKind.STATUS_AFTER, value=502),
        Rule(route=SEND, kind=FaultKind.MALFORMED),
        Rule(route=SEND, kind=FaultKind.ANSWER_TWICE),
        Rule(route=LANDING, kind=FaultKind.DROP_REQUEST, times=3),
        Rule(route=LANDING, kind=FaultKind.DELAY, value=10_000),
        Rule(route=LANDING, kind=FaultKind.FORK),
        Rule(route=STATUS, kind=FaultKind.LAG, times=5),
        Rule(route=STATUS, kind=FaultKind.NODE_BEHIND, value=50, times=5),
        Rule(route=STATUS, kind=FaultKind.MALFORMED, times=3),
        Rule(route=TRANSACTION, kind=FaultKind.LAG, times=3),
        Rule(route=TRANSACTION, kind=FaultKind.STATUS, value=502),
    ],
    ids=lambda rule: f"{rule.kind}-{rule.route.rpartition('/')[2]}",
)
def test_an_order_is_filled_once_despite_a_fault(simulated: SimulatedSolana, fault: Rule) -> None:
    key = simulated.wallet(USDC=ENOUGH)
    with simulated.executor(key) as executor:
        order = signed_order(executor, simulated.buy(), position_row())
        simulated.faults.add(fault)
        result = executor.execute(order)
    assert any(injected.route == fault.route for injected in simulated.faults.journal)
    assert result.status is OrderStatus.FILLED
    [entry] = simulated.on_chain(order.signature)
    agrees(result, entry, str(key.pubkey()), BONK)


def test_a_lost_order_is_unknown_until_it_is_dead(simulated: SimulatedSolana) -> None:
    """Lost every time: unknown as long as it may land, dead afterwards, finally."""
    key = simulated.wallet(USDC=ENOUGH)
    with simulated.executor(key) as executor:
        order = signed_order(executor, simulated.buy(), position_row())
        simulated.faults.add(Rule(route=LANDING, kind=FaultKind.DROP_REQUEST, times=None))
        assert executor.execute(order).status is OrderStatus.UNKNOWN
        fates = []
        for _ in range(20):
            fates.append(executor.recover(order))
            simulated.advance(5)
        statuses = [fate.status if isinstance(fate, ExecutionResult) else None for fate in fates]
        assert statuses[0] is None
        assert statuses[-1] is OrderStatus.DEAD
        assert set(statuses) == {None, OrderStatus.DEAD}
        simulated.faults.clear()
        executor.execute(order)  # sends the bytes again
        simulated.advance(100)
        assert executor.recover(order) is not None
        assert not simulated.on_chain(order.signature)


def test_recovery_sends_an_order_that_was_never_sent(simulated: SimulatedSolana) -> None:
    """Killed between writing the order down and sending it."""
    with simulated.executor(simulated.wallet(USDC=ENOUGH)) as executor:
        order = signed_order(executor, simulated.buy(), position_row())
        assert isinstance(executor.recover(order), StillUnknown)
        simulated.advance(1)
        recovered = executor.recover(order)
        assert isinstance(recovered, ExecutionResult)
        assert recovered.status is OrderStatus.FILLED
        assert len(simulated.on_chain(order.signature)) == 1


def test_a_swap_that_fails_on_the_chain_costs_gas_and_nothing_else(simulated: SimulatedSolana) -> None:
    key = simulated.wallet(USDC=ENOUGH)
    with simulated.executor(key) as executor:
        order = signed_order(executor, simulated.buy(), position_row())
        simulated.market.prices["BONK"] *= 2
        result = executor.execute(order)
        assert result.status is OrderStatus.UNFILLED
        assert result.error is not None
        assert "6001" in result.error
        [entry] = simulated.on_chain(order.signature)
        assert entry.kind == "failed"
        agrees(result, entry, str(key.pubkey()), BONK)
        again = executor.recover(order)
        assert isinstance(again, ExecutionResult)
        assert again.cash_events == result.cash_events


def test_a_failure_counts_only_when_it_is_final(simulated: SimulatedSolana) -> None:
    """Its block is replaced late, and on the other fork the same transaction succeeds."""
    with simulated.executor(simulated.wallet(USDC=ENOUGH), waits=5) as executor:
        order = signed_order(executor, simulated.buy(), position_row())
        simulated.market.prices["BONK"] *= 2
        simulated.faults.add(Rule(route=LANDING, kind=FaultKind.FORK, value=10_000))
        result = executor.execute(order)
        assert [entry.kind for entry in simulated.on_chain(order.signature)] == ["failed"]
        assert result.status is OrderStatus.UNKNOWN
        simulated.market.prices["BONK"] /= 2
        simulated.advance(10)
        assert isinstance(executor.recover(order), StillUnknown)
        simulated.advance(1)
        recovered = executor.recover(order)
        assert isinstance(recovered, ExecutionResult)
        assert recovered.status is OrderStatus.FILLED
        [entry] = simulated.on_chain(order.signature)
        assert entry.kind == "landed"


def test_a_node_that_is_behind_proves_nothing(simulated: SimulatedSolana) -> None:
    """The order is filled; a node that is behind, or has no history, does not make it dead."""
    with simulated.executor(simulated.wallet(USDC=ENOUGH)) as executor:
        order = signed_order(executor, simulated.buy(), position_row())
        assert executor.execute(order).status is OrderStatus.FILLED
        simulated.advance(300)
        forgets, has_stopped = Rule(route=STATUS, kind=FaultKind.LAG, times=None), FaultKind.NODE_BEHIND
        for faults in (
            [forgets],
            [Rule(route=TRANSACTION, kind=FaultKind.LAG, times=None)],
            [Rule(route=route, kind=has_stopped, value=1000, times=None) for route in (STATUS, TRANSACTION)],
            [Rule(route=STATUS, kind=FaultKind.LAG, times=2), Rule(route=TRANSACTION, kind=FaultKind.LAG)],
            [forgets, Rule(route="solana/rpc/getLatestBlockhash", kind=has_stopped, value=1000, times=None)],
        ):
            for fault in faults:
                simulated.faults.add(fault)
            assert isinstance(executor.recover(order), StillUnknown)
            simulated.faults.clear()
        assert isinstance(executor.recover(order), ExecutionResult)


def test_an_order_is_dead_only_when_the_chain_is_final_beyond_its_last_valid_block(simulated: SimulatedSolana) -> None:
    """A node that lags does not know its blockhash, so that the height alone decides."""
    with simulated.executor(simulated.wallet(USDC=ENOUGH)) as executor:
        order = signed_order(executor, simulated.buy(), position_row())
        assert order.last_valid_height is not None
        simulated.faults.add(Rule(route=LANDING, kind=FaultKind.DROP_REQUEST, times=None))
        simulated.faults.add(
            Rule(route="solana/rpc/isBlockhashValid", kind=FaultKind.NODE_BEHIND, value=1000, times=None)
        )
        simulated.advance_blocks(order.last_valid_height + 1 - simulated.height())
        assert isinstance(executor.recover(order), StillUnknown)  # valid no longer, but not final
        simulated.advance_blocks(order.last_valid_height + FINAL_BLOCKS - simulated.height())
        assert isinstance(executor.recover(order), StillUnknown)  # final up to the last block that may hold it
        simulated.advance_blocks(order.last_valid_height + FINAL_BLOCKS + 1 - simulated.height())
        found = executor.recover(order)
        assert isinstance(found, ExecutionResult)
        assert found.status is OrderStatus.DEAD


def test_a_swap_that_is_only_processed_has_not_landed(simulated: SimulatedSolana) -> None:
    """One node has confirmed it, but the one that is asked for its status has not."""
    with simulated.executor(simulated.wallet(USDC=ENOUGH)) as executor:
        order = signed_order(executor, simulated.buy(), position_row())
        simulated.faults.add(Rule(route=STATUS, kind=FaultKind.NODE_BEHIND, value=1, times=None))
        assert isinstance(executor.recover(order), StillUnknown)  # sends it
        assert len(simulated.on_chain(order.signature)) == 1
        simulated.advance_blocks(1)
        assert isinstance(executor.recover(order), StillUnknown)
        simulated.advance_blocks(1)
        found = executor.recover(order)
        assert isinstance(found, ExecutionResult)
        assert found.status is OrderStatus.FILLED


def test_jupiters_height_alone_does_not_make_an_order_dead(simulated: SimulatedSolana) -> None:
    """It names a height that is long past, but the blockhash may still be used."""
    with simulated.executor(simulated.wallet(USDC=ENOUGH)) as executor:
        order = signed_order(executor, simulated.buy(), position_row())
        fields = {name: getattr(order, name) for name in order.__struct_fields__}
        wrong = SignedOrder(**{**fields, "last_valid_height": 1})
        simulated.faults.add(Rule(route=LANDING, kind=FaultKind.DROP_REQUEST))
        simulated.advance(20)
        assert isinstance(executor.recover(wrong), StillUnknown)
        simulated.advance(1)
        recovered = executor.recover(wrong)
        assert isinstance(recovered, StillUnknown)
        simulated.advance(1)
        assert len(simulated.on_chain(order.signature)) == 1


def test_two_concurrent_recoveries(simulated: SimulatedSolana) -> None:
    """A frozen task and its successor handle the same order."""
    key = simulated.wallet(USDC=ENOUGH)
    with simulated.executor(key) as one, simulated.executor(key) as other, ThreadPoolExecutor() as threads:
        order = signed_order(one, simulated.buy(), position_row())
        simulated.faults.add(Rule(route=LANDING, kind=FaultKind.DROP_REQUEST, times=2))
        results = list(threads.map(lambda executor: executor.execute(order), (one, other)))
    assert [result.status for result in results] == [OrderStatus.FILLED] * 2
    assert results[0].fills == results[1].fills
    assert len(simulated.on_chain(order.signature)) == 1


def test_preparation_is_retried(simulated: SimulatedSolana) -> None:
    with simulated.executor(simulated.wallet(USDC=ENOUGH)) as executor:
        for route in ("jupiter/quote", "jupiter/swap", "jupiter/price", "rpc/getMultipleAccounts"):
            simulated.faults.add(Rule(route=f"solana/{route}", kind=FaultKind.STATUS, value=429))
            simulated.faults.add(Rule(route=f"solana/{route}", kind=FaultKind.MALFORMED))
            executor.prepare(simulated.buy(), position_row(), 1)
            simulated.faults.clear()


def test_an_error_during_preparation_is_not_a_skip(simulated: SimulatedSolana) -> None:
    key = simulated.wallet(USDC=ENOUGH)
    before = len(simulated.tape)
    with simulated.executor(key) as executor:
        simulated.faults.add(Rule(route="solana/jupiter/*", kind=FaultKind.STATUS, value=502, times=None))
        with pytest.raises(JupiterError, match="502"):
            executor.prepare(simulated.buy(), position_row(), 1)
        simulated.faults.clear()
        simulated.faults.add(Rule(route="solana/rpc/*", kind=FaultKind.DROP_ANSWER, times=None))
        with pytest.raises(NodeError):
            executor.prepare(simulated.buy(), position_row(), 1)
        simulated.faults.clear()
        with pytest.raises(RefusedError):  # for no reason that we know
            executor.prepare(simulated.buy(max_slippage_bps=20_000), position_row(), 1)
    assert len(simulated.tape) == before


@contextmanager
def fixed_node(answer: bytes, status: int = 200) -> Iterator[str]:
    """Serve a node with the same response to every request."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/?api-key=secret"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b'{"jsonrpc":"2.0","id":1,"error":{"code":-32429,"message":"rate limited"}}', 200),
        (b'{"jsonrpc":"2.0","id":1,"error":{"code":429,"message":"rate limited","data":[1]}}', 200),
        (b'{"jsonrpc":"2.0","id":1,"result":7}', 200),
        (b'{"jsonrpc":"2.0","id":1,"result":{"context":{"slot":1},"value":[{"slot":"x"}]}}', 200),
        (b'{"jsonrpc":"2.0","id":1,"result":{"context":{"slot":1},"value":[]}}', 200),
        (b'{"jsonrpc":"2.0","id":null,"error":null}', 200),
        (b"null", 429),
        (b"<html>", 502),
        (b"\xff\xfe", 200),
        (b"", 200),
    ],
)
def test_an_order_is_not_lost_whatever_a_node_responds(simulated: SimulatedSolana, answer: bytes, status: int) -> None:
    key = simulated.wallet(USDC=ENOUGH)
    with simulated.executor(key) as executor:
        order = signed_order(executor, simulated.buy(), position_row())
    with fixed_node(answer, status) as url, simulated.executor(key, rpc_url=url) as lost:
        result = lost.execute(order)
        assert result.status is OrderStatus.UNKNOWN
        fate = lost.recover(order)
        assert isinstance(fate, StillUnknown)
        assert "secret" not in f"{result.error} {fate.reason}"
        with pytest.raises(NodeError):
            lost.prepare(simulated.buy(), position_row(), 1)
