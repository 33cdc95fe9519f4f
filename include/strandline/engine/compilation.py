"""Compiles functions to machine code with the same results in every process: no fast math, no threads, scalars only."""

from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

from numba import njit

from strandline.model.canonical import digest

F = TypeVar("F", bound=Callable[..., Any])

_FUNCTIONS: Final[list[Callable[..., Any]]] = []


def compiled(function: F) -> F:
    """Decorate a function that is compiled into the entry point that calls it."""
    _FUNCTIONS.append(function)
    return cast("F", njit(function))


def in_python(function: F) -> F:
    """The function as it was written: slower, but nothing is compiled for a few calls. It gives the same bits."""
    return cast("F", cast("Any", function).py_func)


def entry_point(function: F) -> F:
    """Decorate the function that Python calls; its machine code is cached on disk where possible."""
    try:
        return cast("F", njit(function, cache=True))
    except RuntimeError:  # no writable cache directory: each process compiles
        return cast("F", njit(function))


def fingerprint() -> str:
    """A digest of all compiled functions, for numba's cache key: numba itself looks at the entry point's file only."""
    return digest([_identity(function) for function in _FUNCTIONS])


def _identity(function: Callable[..., Any]) -> str:
    code, variables = function.__code__, function.__globals__
    constants = {name: variables[name] for name in code.co_names if isinstance(variables.get(name), int | float)}
    return repr((code.co_name, code.co_code, code.co_consts, code.co_names, constants))
