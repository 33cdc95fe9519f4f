"""Builds JSON Schemas (draft 2020-12) so that a whole answer reads like its documentation.

A record is closed: a missing key and an additional one are both faults.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

Schema = dict[str, Any]

BOOLEAN: Final[Schema] = {"type": "boolean"}
INTEGER: Final[Schema] = {"type": "integer"}
NATURAL: Final[Schema] = {"type": "integer", "minimum": 0}
NUMBER: Final[Schema] = {"type": "number"}
POSITIVE: Final[Schema] = {"type": "number", "exclusiveMinimum": 0}
NULL: Final[Schema] = {"type": "null"}
STRING: Final[Schema] = {"type": "string"}
WORDS: Final[Schema] = {"type": "string", "minLength": 1}


def record(*, optional: Mapping[str, Schema] | None = None, **required: Schema) -> Schema:
    """Describe an object with these keys and no others."""
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


def more(of: Schema, *, optional: Mapping[str, Schema] | None = None, **required: Schema) -> Schema:
    """Describe a record with further keys, or with other values of some."""
    kept = {key: part for key, part in of["properties"].items() if key not in {*of["required"], *required}}
    return record(
        optional={**kept, **(optional or {})}, **{**{key: of["properties"][key] for key in of["required"]}, **required}
    )


def mapping(value: Schema, keys: str = ".") -> Schema:
    """Describe an object whose keys are names, which match a pattern."""
    return {"type": "object", "propertyNames": {"pattern": keys}, "additionalProperties": value}


def array(item: Schema, *, least: int = 0, most: int | None = None) -> Schema:
    """Describe an array of equal items."""
    bound = {} if most is None else {"maxItems": most}
    return {"type": "array", "items": item, "minItems": least, **bound}


def row(*items: Schema) -> Schema:
    """Describe an array in which each place has its own meaning."""
    return {"type": "array", "prefixItems": list(items), "items": False, "minItems": len(items)}


def either(*schemas: Schema) -> Schema:
    """Describe a value of one of these shapes."""
    return {"anyOf": list(schemas)}


def nullable(schema: Schema) -> Schema:
    """Describe a value that may be null."""
    return either(schema, NULL)


def literal(*values: object) -> Schema:
    """Describe a value that is one of these."""
    return {"enum": list(values)}


def text(pattern: str) -> Schema:
    """Describe text of which all matches a pattern."""
    return {"type": "string", "pattern": f"^(?:{pattern})$"}


def sentence(words: str, **blanks: str) -> Schema:
    """Describe a sentence; each blank in braces has a pattern."""
    pattern = re.escape(words)
    for name, blank in blanks.items():
        pattern = pattern.replace(re.escape(f"{{{name}}}"), blank)
    return {"title": words, **text(pattern)}
