"""Equal values have equal canonical bytes in every process, and reading them back gives the value."""

import json
import math
import os
import pickle
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.model.canonical import canonical_bytes, digest, from_json
from strandline.model.exact import Money, Quantity
from strandline.model.fill import Fill
from strandline.model.record import FrozenDict, Record
from tests.model import generated
from tests.model.golden import golden_bytes, golden_hashes, golden_types


@given(generated.records)
def test_canonical_bytes_read_back_as_an_equal_record(record: Record) -> None:
    again = from_json(canonical_bytes(record), type(record))
    assert again == record
    assert canonical_bytes(again) == canonical_bytes(record)
    assert digest(again) == digest(record)


@given(generated.records)
def test_a_pickled_record_is_the_same(record: Record) -> None:
    assert pickle.loads(pickle.dumps(record)) == record


@given(st.lists(generated.records, min_size=2, max_size=2) | generated.records.map(lambda record: [record, record]))
def test_two_records_share_a_hash_exactly_when_they_are_equal(pair: list[Record]) -> None:
    one, other = pair
    assert (type(one) is type(other) and one == other) == (digest(one) == digest(other))


@given(generated.fills(), generated.moneys)
def test_a_change_in_one_field_changes_the_hash(fill: Fill, fee: Money) -> None:
    assert (fee == fill.fee) == (digest(msgspec.structs.replace(fill, fee=fee)) == digest(fill))


@given(generated.records, st.data())
def test_nothing_in_a_record_can_be_changed(record: Record, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(record.__struct_fields__))
    with pytest.raises(AttributeError):
        setattr(record, name, None)
    value = getattr(record, name)
    if isinstance(value, dict):
        with pytest.raises(TypeError):
            value["new"] = 1


@given(generated.records)
def test_an_unknown_or_a_missing_field_is_refused(record: Record) -> None:
    fields = json.loads(canonical_bytes(record))
    with pytest.raises(msgspec.ValidationError, match="unknown field `surprise`"):
        from_json(json.dumps(fields | {"surprise": 1}), type(record))
    for field in msgspec.structs.fields(type(record)):
        if field.required:
            without = {key: value for key, value in fields.items() if key != field.name}
            with pytest.raises(msgspec.ValidationError):
                from_json(json.dumps(without), type(record))


@given(generated.floats)
def test_floats_survive_and_read_as_javascript_reads_them(value: float) -> None:
    written = canonical_bytes({"x": value})
    assert from_json(written, dict[str, float]) == {"x": value}
    assert float(json.loads(written)["x"]) == value


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        -math.inf,
        2**53,
        -(2**53),
        datetime(2026, 1, 1),
        {1, 2},
        frozenset(),
        object(),
        Decimal(1),
        1j,
        "\ud800",
    ],
)
def test_a_value_without_a_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="canonical form"):
        canonical_bytes({"x": value})


def test_a_key_must_be_text() -> None:
    with pytest.raises(TypeError, match="key must be text"):
        canonical_bytes({1: 2})


def test_an_instant_is_written_in_utc() -> None:
    there = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    assert canonical_bytes(there) == canonical_bytes(datetime(2026, 1, 1, 10, tzinfo=UTC))


@given(st.dictionaries(generated.texts, generated.floats))
def test_the_order_of_keys_does_not_matter(mapping: dict[str, float]) -> None:
    assert canonical_bytes(mapping) == canonical_bytes(dict(reversed(mapping.items())))


def test_two_types_never_share_a_hash() -> None:
    assert digest(Money(1)) != digest(Quantity(1))


def test_a_record_refuses_values_that_cannot_be_stored() -> None:
    sample: dict[str, Any] = json.loads(golden_bytes(Fill))
    for name, value in {"ts": datetime(2026, 1, 1), "venue_fill_id": "a\0b", "token_contract": "\udfff"}.items():
        good = msgspec.structs.asdict(from_json(json.dumps(sample), Fill))
        with pytest.raises(ValueError, match=name):
            Fill(**(good | {name: value}))


def test_golden_bytes_and_hashes_never_change() -> None:
    """If this fails, strands that are stored already no longer verify."""
    hashes = golden_hashes()
    assert sorted(hashes) == [kind.__name__ for kind in golden_types()]
    for kind in golden_types():
        record = from_json(golden_bytes(kind), kind)
        assert canonical_bytes(record) == golden_bytes(kind)
        assert digest(record) == hashes[kind.__name__]


@pytest.mark.parametrize("seed", ["0", "1", "4242"])
def test_another_process_gives_the_same_bytes(seed: str) -> None:
    environment = os.environ | {"PYTHONHASHSEED": seed, "LC_ALL": "C", "TZ": "Asia/Kathmandu"}
    command = [sys.executable, "-m", "tests.model.golden"]
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(printed.stdout) == golden_hashes()


def test_a_frozen_mapping_refuses_every_way_of_changing_it() -> None:
    frozen: Any = FrozenDict({"a": 1})
    for change in (
        lambda: frozen.update(b=2),
        lambda: frozen.pop("a"),
        lambda: frozen.setdefault("b", 2),
        frozen.clear,
        frozen.popitem,
        lambda: frozen.__delitem__("a"),
        lambda: frozen.__ior__({"b": 2}),
    ):
        with pytest.raises(TypeError, match="immutable"):
            change()
    assert frozen == {"a": 1}


@pytest.mark.parametrize("written", ["1.5", "true", '"one"', '"NaN"', "null", "[]"])
def test_money_is_read_from_text_only(written: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        from_json(written, Money)
