"""Everything that the simulated Solana and Jupiter answer has the shape that they document."""

import pytest

from tests.docs.simulated_names import listed
from tests.strandline_sim.contract.contract import Contract
from tests.strandline_sim.contract.schemas.jupiter import ANSWERS, REFUSALS
from tests.strandline_sim.contract.schemas.solana_rpc import RESULTS, responses
from tests.strandline_sim.contract.solana_session import drive
from tests.strandline_sim.solana.simulation import Simulation, run

DATA = "rpc getAccountInfo jsonParsed.result.value|object.data"
NOT_SIMULATED = {
    # what a node or Jupiter may leave out, or does not know
    "jupiter GET /price/v3{}.blockId|null",
    "jupiter GET /price/v3{}.priceChange24h|null",
    "jupiter GET /tokens/v2/search[].audit.isSus",
    "jupiter GET /tokens/v2/search[].audit.topHoldersPercentage",
    "jupiter GET /tokens/v2/search[].freezeAuthority",
    "jupiter GET /tokens/v2/search[].icon|string",
    "jupiter GET /tokens/v2/search[].liquidity|null",
    "jupiter GET /tokens/v2/search[].mintAuthority",
    "rpc getEpochInfo.result.transactionCount|null",
    "rpc getSignaturesForAddress.result[].blockTime|null",
    "rpc getSignaturesForAddress.result[].transactionIndex",
    *(f"rpc getTransaction {one}.result|object.blockTime|null" for one in ("base58", "base64", "json", "jsonParsed")),
    *(
        f"rpc getTransaction {one}.result|object.meta.{key}"
        for one in ("json", "jsonParsed")
        for key in ("costUnits", "returnData")
    ),
    "rpc getTransaction json.result|object.transaction.message.instructions[].stackHeight|null",
    "rpc getTransaction jsonParsed.result|object.transaction.message.instructions[]|parsed.stackHeight|null",
    "rpc getTransaction jsonParsed.result|object.transaction.message.instructions[]|plain.stackHeight|null",
    "rpc simulateTransaction.result.value.logs|null",
    # rewards of validators, lookup tables of swaps, mints that are frozen, fixed or managed
    "jupiter POST /swap/v2/swap-instructions.addressLookupTableAddresses[]",
    "jupiter POST /swap/v2/swap-instructions.addressesByLookupTableAddress|object",
    "jupiter POST /swap/v2/swap-instructions.otherInstructions[]",
    "rpc getTransaction json.result|object.meta.rewards[]",
    f"{DATA}|spl-token account.parsed.info.state=frozen",
    f"{DATA}|spl-token account.parsed.info.state=uninitialized",
    f"{DATA}|spl-token mint.parsed.info.freezeAuthority|string",
    f"{DATA}|spl-token mint.parsed.info.mintAuthority|null",
    f"{DATA}|spl-token-2022 mint.parsed.info.extensions[].state.transferFeeConfigAuthority|string",
    f"{DATA}|spl-token-2022 mint.parsed.info.extensions[].state.withdrawWithheldAuthority|string",
}
"""The parts of answers that Solana and Jupiter have and the simulated ones never show."""


@pytest.fixture(scope="module")
def contract() -> Contract:
    """Return the contract after everything was done and asked."""
    jupiter = {**ANSWERS, **REFUSALS}
    contract = Contract(
        {f"rpc {name}": schema for name, schema in responses().items()}
        | {f"jupiter {name}": schema for name, schema in jupiter.items()}
    )

    async def scenario(sim: Simulation) -> None:
        await drive(contract, sim)

    run(scenario, skip_every=7)
    return contract


def test_every_name_has_a_schema() -> None:
    assert set(listed("Solana: methods of JSON-RPC")[0]) == {name.partition(" ")[0] for name in RESULTS}
    assert set(listed("Jupiter: paths")[0]) == set(ANSWERS)


def test_every_answer_has_the_documented_shape(contract: Contract) -> None:
    assert contract.broken == {}


def test_every_answer_has_been_seen_with_something_in_it(contract: Contract) -> None:
    assert contract.empty() == set()


def test_every_part_of_an_answer_has_been_seen(contract: Contract) -> None:
    assert contract.unseen() == NOT_SIMULATED
