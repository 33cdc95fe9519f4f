"""Holds the answers of a venue to their schemas, and remembers which parts of the schemas have been seen."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from jsonschema.validators import extend

from tests.strandline_sim.contract.schemas.build import Schema

# Clients in other languages read 1.0 into no integer.
Validator: Any = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int),
)

GENERAL: Final = re.compile(r"\[\d+\]")


class Contract:
    """The schemas of a venue's answers, by name."""

    def __init__(self, schemas: Mapping[str, Schema]) -> None:
        for schema in schemas.values():
            Draft202012Validator.check_schema(schema)
        self.schemas = schemas
        self.full: Counter[str] = Counter()
        """How many answers of each name had any content."""
        self.broken: dict[str, str] = {}
        """What was wrong with the first answer that broke a schema at a place."""
        self._seen: set[object] = set()

    def check(self, name: str, answer: Any) -> Any:
        """Note what is wrong with an answer, and return it."""
        schema = self.schemas[name]
        for error in Validator(schema).iter_errors(answer):
            deepest = best_match([error])
            self.broken.setdefault(f"{name} {GENERAL.sub('[]', deepest.json_path)}", deepest.message)
        self.full[name] += has_content(answer)
        self._see(schema, answer)
        return answer

    def empty(self) -> set[str]:
        """Return the names of which no answer had any content."""
        return {name for name in self.schemas if not self.full[name]}

    def unseen(self) -> set[str]:
        """Return the parts of schemas that no answer has reached: keys, items, shapes, words of a list.

        A part that several answers have in common is named once; what is below an unseen part is not named.
        """
        found: set[str] = set()
        known: set[int] = set()
        for name, schema in self.schemas.items():
            found.update(self._unseen(name, schema, known))
        return found

    def _see(self, schema: Schema, value: Any) -> None:
        if "enum" in schema:
            self._seen.add((id(schema), f"={value}"))
        for name, part, inner in parts(schema, value):
            self._seen.add((id(schema), name))
            self._see(part, inner)

    def _unseen(self, path: str, schema: Schema, known: set[int]) -> Iterator[str]:
        if id(schema) in known:
            return
        known.add(id(schema))
        for name, part in places(schema):
            if (id(schema), name) not in self._seen:
                yield path + name
            elif part is not None:
                yield from self._unseen(path + name, part, known)


def places(schema: Schema) -> Iterator[tuple[str, Schema | None]]:
    """Yield the names of the parts of a schema, each with what it says of them."""
    for value in schema.get("enum", ()):
        yield f"={value}", None
    for key, part in schema.get("properties", {}).items():
        yield f".{key}", part
    if isinstance(others := schema.get("additionalProperties"), dict):
        yield "{}", others
    for place, part in enumerate(schema.get("prefixItems", ())):
        yield f"[{place}]", part
    if isinstance(items := schema.get("items"), dict):
        yield "[]", items
    for number, part in enumerate(schema.get("anyOf", ())):
        yield f"|{title(part, number)}", part


def parts(schema: Schema, value: Any) -> Iterator[tuple[str, Schema, Any]]:
    """Yield the names of the parts of a schema that a value has, each with that part of the value."""
    for number, part in enumerate(schema.get("anyOf", ())):
        if Validator(part).is_valid(value):
            yield f"|{title(part, number)}", part, value
    if isinstance(value, dict):
        known = schema.get("properties", {})
        named = (
            (f".{key}", known[key], inner) if key in known else ("{}", schema.get("additionalProperties"), inner)
            for key, inner in value.items()
        )
    elif isinstance(value, list):
        first = schema.get("prefixItems", [])
        named = (
            (f"[{place}]", first[place], inner) if place < len(first) else ("[]", schema.get("items"), inner)
            for place, inner in enumerate(value)
        )
    else:
        return
    yield from ((name, part, inner) for name, part, inner in named if isinstance(part, dict))


def title(schema: Schema, number: int) -> str:
    """Name one of several shapes."""
    return str(schema.get("title") or schema.get("type") or number)


def has_content(answer: object) -> bool:
    """Whether there is anything in an answer but empty lists and nulls."""
    if isinstance(answer, dict):
        return any(has_content(inner) for inner in answer.values())
    if isinstance(answer, list):
        return any(has_content(inner) for inner in answer)
    return answer is not None
