"""The trading parameters are complete and validated, and their hash changes with every number."""

import contextlib
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.configuration import make_settings
from strandline.model.canonical import canonical_bytes, from_json
from strandline.model.errors import ConfigurationError
from strandline.model.strategy import Strategy
from strandline.settings import Settings
from strandline.strategy import DEFAULT_FILE, load_strategy

DEFAULTS: dict[str, Any] = tomllib.loads(DEFAULT_FILE.read_text())
STRATEGY = load_strategy(Settings())


def numbers(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every number in the file."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        if isinstance(value, int | float):
            yield (*path, key)
        yield from numbers(value, (*path, key))


PLACES = list(numbers(DEFAULTS))


def with_number(place: tuple[Any, ...], change: Any) -> dict[str, Any]:
    """The defaults with one number changed."""
    values = tomllib.loads(DEFAULT_FILE.read_text())
    inner = values
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = change(inner[place[-1]])
    return values


def strategy_file(tmp_path: Path, text: str) -> Settings:
    """Settings that name a file with this text."""
    file = tmp_path / "mine.toml"
    file.write_text(text)
    return Settings(strategy_file=file)


def fault(settings: Settings) -> str:
    """The error message, one line, with which this strategy is refused."""
    with pytest.raises(ConfigurationError) as caught:
        load_strategy(settings)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_the_defaults_are_the_numbers_of_the_rules() -> None:
    assert STRATEGY.exits.stop_pct == 8
    assert (STRATEGY.exits.trail_arms_pct, STRATEGY.exits.trail_pct, STRATEGY.exits.time_days) == (12, 5, 14)
    assert (STRATEGY.breakers.max_daily_loss_pct, STRATEGY.breakers.max_drawdown_pct) == (5, 20)
    assert STRATEGY.history.bars_for_flags == 666
    assert sum(STRATEGY.allocation.weights.values()) == pytest.approx(1)
    assert STRATEGY.sizes.entry == ((0, 0), (0.3, 0.30), (0.7, 0.60), (1, 0.90))


def test_it_reads_back() -> None:
    assert from_json(canonical_bytes(STRATEGY), Strategy) == STRATEGY
    assert load_strategy(Settings()).hash == STRATEGY.hash


def nudges(value: float) -> Iterator[float]:
    """Neighbours of a number, at least one of which is valid."""
    if isinstance(value, int):
        yield from (value + 1, value - 1)
    else:
        yield from (value + 1e-12, value - 1e-12)


def test_every_number_changes_the_hash() -> None:
    for place in PLACES:
        hashes = []
        for direction in (0, 1):
            values = with_number(place, lambda value, d=direction: list(nudges(value))[d])
            with contextlib.suppress(msgspec.ValidationError):
                hashes.append(msgspec.convert(values, Strategy).hash)
        # The weights of overextension must add up to 1 and tolerate this little.
        assert hashes, f"{place}: no neighbouring value is valid"
        assert STRATEGY.hash not in hashes, f"{place} does not count"


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), "8", None, [1, 2, 3]], ids=str)
def test_every_number_must_be_a_number(bad: Any) -> None:
    for place in PLACES:
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(with_number(place, lambda _: bad), Strategy)


def test_a_users_file_needs_only_what_it_changes(tmp_path: Path) -> None:
    mine = load_strategy(strategy_file(tmp_path, "[exits]\nstop_pct = 6.5\n[allocation.weights]\n1m = 0.0\n"))
    assert (mine.exits.stop_pct, mine.exits.trail_pct) == (6.5, 5)
    assert sum(mine.allocation.weights.values()) == pytest.approx(0.95)
    assert mine.hash != STRATEGY.hash


def test_settings_override_parameters_and_change_the_hash() -> None:
    mine = load_strategy(
        make_settings(max_position_pct="4", max_daily_loss_pct="3.5", max_drawdown_pct="15", max_consecutive_losses="4")
    )
    assert mine.allocation.max_position_pct == 4
    assert (mine.breakers.max_daily_loss_pct, mine.breakers.max_drawdown_pct) == (3.5, 15)
    assert mine.breakers.max_consecutive_losses == 4
    assert mine.hash != STRATEGY.hash
    assert load_strategy(make_settings(max_position_pct="5.00")).hash == STRATEGY.hash


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[exits]\nstop_pct = -8\n", "exits.stop_pct: Expected `float` > 0.0"),
        ("[exits]\nstop_pctt = 8\n", "exits: Object contains unknown field `stop_pctt`"),
        ("[exit]\nstop_pct = 8\n", "unknown field `exit`"),
        ("[exits]\nstop_pct = '8'\n", "exits.stop_pct: Expected `float`, got `str`"),
        ("[exits]\nstop_pct = inf\n", "exits.stop_pct: Expected `float` < 100.0"),
        ("[flags.buy_s3]\nmin_score = nan\n", "flags.buy_s3.min_score"),
        ("exits = 8\n", "exits: Expected `object`, got `int`"),
        ("[allocation]\nmax_venue_pct = 90\n", "must not decrease in this order"),
        ("[allocation.weights]\n2h = 1\n", "Invalid enum value '2h'"),
        ("[sizes]\nentry = [[0, 0], [0, 1]]\n", "increasing x"),
        ("[sizes]\nentry = [[0, 0], [1, 2]]\n", "entry must stay in [0, 1]"),
        ("[scores.overextension.weights]\nema20 = 0.9\n", "must add up to 1"),
        ("[indicators]\nema_bars = [20, 30, 60, 144, 250, 250]\n", "ema_bars must increase"),
        ("[flags.buy_s3]\ndecay_from = 0.9\n", "decay_from must lie below decay_to"),
        ("[regime]\nmembers = []\n", "regime.members"),
        ("stop_pct = = 8\n", "is not TOML"),
    ],
)
def test_a_wrong_parameter_is_named_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    line = fault(strategy_file(tmp_path, text))
    assert message in line
    assert str(tmp_path / "mine.toml") in line


def test_a_setting_that_contradicts_the_strategy_is_named() -> None:
    line = fault(make_settings(max_position_pct="60"))
    assert "STRANDLINE_MAX_POSITION_PCT" in line
    assert "must not decrease" in line


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(b"\xff\xfe")
    assert "is not UTF-8 text" in fault(Settings(strategy_file=tmp_path / "mine.toml"))


@given(st.binary(max_size=60))
def test_invalid_files_never_give_another_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.mktemp("content") / "mine.toml"
    file.write_bytes(content)
    try:
        load_strategy(Settings(strategy_file=file))
    except ConfigurationError as error:
        assert "\n" not in str(error)
