"""The tape keeps every event, in order, as canonical JSON."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline_sim.tape import Tape

values = st.dictionaries(st.text("abc", min_size=1), st.text("xyz0.") | st.integers(0, 2**40), max_size=3)
events = st.lists(
    st.tuples(st.integers(0, 2**40), st.sampled_from(["a", "b"]), st.sampled_from(["fill", "order"]), values)
)


@given(events)
def test_appended_events_are_in_memory_and_in_the_file(appended: list[tuple[int, str, str, dict[str, object]]]) -> None:
    file = io.BytesIO()
    tape = Tape(file)
    for event in appended:
        tape.append(*event)
    assert file.getvalue() == bytes(tape)
    lines = [json.loads(line) for line in bytes(tape).splitlines()]
    assert [(line["at"], line["venue"], line["kind"], line["data"]) for line in lines] == appended
    assert [line["number"] for line in lines] == list(range(1, len(appended) + 1))
    fills = list(tape.entries(venue="a", kind="fill"))
    assert [entry.data for entry in fills] == [
        data for _, venue, kind, data in appended if (venue, kind) == ("a", "fill")
    ]
    assert list(tape.entries(after=2)) == list(tape.entries())[2:]


def test_a_value_without_canonical_form_is_refused() -> None:
    with pytest.raises(ValueError, match="canonical form"):
        Tape(io.BytesIO()).append(0, "a", "fill", {"price": float("nan")})
