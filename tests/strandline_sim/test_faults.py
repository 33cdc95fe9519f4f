"""Fault rules hit the requests that they select, and the journal records them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline_sim.faults import FaultKind, Faults, Rule, random_faults, read_script

kinds = st.sampled_from(FaultKind)
rules = st.builds(
    Rule,
    route=st.sampled_from(["*", "hl/*", "hl/order", "sol/send"]),
    kind=kinds,
    after=st.integers(0, 3),
    times=st.none() | st.integers(1, 3),
    chance=st.sampled_from([0.3, 1.0]),
)
requests = st.lists(st.sampled_from(["hl/order", "hl/info", "sol/send"]), max_size=30)


@given(st.lists(rules, max_size=4), requests, st.integers(0, 99))
def test_the_same_seed_and_requests_give_the_same_faults(given_rules: list[Rule], routes: list[str], seed: int) -> None:
    one, other = Faults(given_rules, seed), Faults(given_rules, seed)
    assert [one.inject(route, at) for at, route in enumerate(routes)] == [
        other.inject(route, at) for at, route in enumerate(routes)
    ]
    assert one.journal == other.journal


@given(rules, requests)
def test_a_rule_skips_then_hits_and_the_journal_records_it(rule: Rule, routes: list[str]) -> None:
    faults = Faults([rule])
    hit = [at for at, route in enumerate(routes) if faults.inject(route, at) is not None]
    matching = [
        at
        for at, route in enumerate(routes)
        if rule.route in ("*", route) or (rule.route == "hl/*" and route[:2] == "hl")
    ]
    possible = matching[rule.after :]
    assert set(hit) <= set(possible)
    assert len(hit) <= (len(possible) if rule.times is None else min(rule.times, len(possible)))
    if rule.chance == 1:
        assert hit == (possible if rule.times is None else possible[: rule.times])
    assert [(line.at, line.route, line.kind) for line in faults.journal] == [(at, routes[at], rule.kind) for at in hit]


def test_a_rule_is_used_up_only_by_requests_of_its_kind() -> None:
    faults = Faults([Rule(route="*", kind=FaultKind.FORK)])
    assert faults.inject("x", 0, [FaultKind.REFUSE]) is None
    assert faults.inject("x", 1, [FaultKind.FORK]) is not None
    assert faults.inject("x", 2, [FaultKind.FORK]) is None


def test_down_lasts_for_its_time() -> None:
    faults = Faults([Rule(route="hl/*", kind=FaultKind.DOWN, after=1, value=500)])
    hit = [at for at in (0, 100, 200, 599, 600, 5000) if faults.inject("hl/order", at) is not None]
    assert hit == [100, 200, 599]
    assert faults.inject("sol/send", 300) is None


def test_rules_are_added_and_cleared() -> None:
    faults = Faults()
    faults.add(Rule(route="x", kind=FaultKind.DOWN, times=None))
    assert faults.inject("x", 0) is not None
    faults.clear()
    assert faults.inject("x", 1) is None
    assert len(faults.journal) == 1


@pytest.mark.parametrize("wrong", [{"after": -1}, {"times": 0}, {"chance": 0.0}, {"chance": 1.5}])
def test_an_invalid_rule_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"count requests|chance lies"):
        Rule(**({"route": "*", "kind": FaultKind.DOWN} | wrong))  # type: ignore[arg-type]


def test_a_script_is_a_list_of_rules() -> None:
    script = """
    [[fault]]
    route = "hyperliquid/exchange/order"
    kind = "drop_answer"
    after = 1

    [[fault]]
    route = "solana/*"
    kind = "status"
    value = 502
    times = 3
    """
    assert read_script(script) == [
        Rule(route="hyperliquid/exchange/order", kind=FaultKind.DROP_ANSWER, after=1),
        Rule(route="solana/*", kind=FaultKind.STATUS, value=502, times=3),
    ]


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("fault = 1", r"fault"),
        ("[[fault]]\nroute = 'x'\nkind = 'explode'", "explode"),
        ("[[fault]]\nroute = 'x'", "kind"),
        ("[[fault]]\nroute = 'x'\nkind = 'down'\nonce = true", "once"),
        ("[[fault", "no fault script"),
    ],
)
def test_an_invalid_script_is_refused_with_the_location(script: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_script(script)


def test_random_faults_are_of_every_random_kind() -> None:
    faults = Faults(random_faults(0.05), seed=3)
    for at in range(3000):
        faults.inject("hyperliquid/exchange/order", at)
    assert {line.kind for line in faults.journal} == {rule.kind for rule in random_faults(0.05)}
