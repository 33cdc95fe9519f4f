"""Turns Python into machine code that gives the same bits in every process: no fast math, no threads, scalars only."""

from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

from numba import njit

from strandline.model.canonical import digest

F = TypeVar("F", bound=Callable[..., Any])

_PARTS: Final[list[Callable[..., Any]]] = []


def part(function: F) -> F:
    """A piece of the step; it is compiled into the entry point that calls it."""
    _PARTS.append(function)
    return cast("F", njit(function))


def entry(function: F) -> F:
    """What Python calls; its machine code is kept on disk where that is possible."""
    try:
        return cast("F", njit(function, cache=True))
    except RuntimeError:  # neither beside the source nor in the home can be written: each process compiles
        return cast("F", njit(function))


def fingerprint() -> str:
    """Of all parts: numba looks for changes in the entry point's own file only, so this belongs into its key."""
    return digest([_identity(function) for function in _PARTS])


def _identity(function: Callable[..., Any]) -> str:
    code, known = function.__code__, function.__globals__
    constants = {name: known[name] for name in code.co_names if isinstance(known.get(name), int | float)}
    return repr((code.co_name, code.co_code, code.co_consts, code.co_names, constants))
