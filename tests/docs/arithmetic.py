"""The arithmetic that the pages show: each line is computed again, by its names and by its numbers."""

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

_FUNCTIONS: Final[Mapping[str, Callable[[float], float]]] = {
    "sigma": lambda x: 1 / (1 + math.exp(-x)),
    "exp": math.exp,
    "abs": abs,
}
_OPERATORS: Final[Mapping[type, Callable[[float, float], float]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


class Computed(NamedTuple):
    """A name, how it is computed from other names, from their rounded values, and what comes out."""

    name: str
    by_names: str
    by_numbers: str
    value: str


def computed_on(page: Path) -> list[Computed]:
    """The computations in the text blocks of a page."""
    blocks = re.findall(r"```text\n(.*?)\n```", page.read_text(), re.DOTALL)
    return [_computed(found) for block in blocks for found in re.split(r"\n(?=\w)", block)]


def evaluate(expression: str, values: Mapping[str, float]) -> float:
    """Compute an expression of the page."""
    return _value(ast.parse(expression, mode="eval").body, values)


def _value(node: ast.expr, values: Mapping[str, float]) -> float:
    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.Name(id=name):
            return values[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, values)
        case ast.BinOp(left=left, op=op, right=right):
            return _OPERATORS[type(op)](_value(left, values), _value(right, values))
        case ast.Call(func=ast.Name(id=name), args=[argument]):
            return _FUNCTIONS[name](_value(argument, values))
        case _:
            raise ValueError(f"the page's arithmetic has no {ast.dump(node)}")


def _computed(found: str) -> Computed:
    name, *parts = (" ".join(part.split()) for part in re.split(r"(?:^|\n)? *= ", found, maxsplit=3))
    return Computed(name, *parts)
