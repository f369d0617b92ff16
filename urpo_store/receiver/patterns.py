"""Refuses regular expressions from the network that could run for very long.

Python's matcher backtracks and cannot be interrupted: it holds the interpreter until it ends. A
pattern such as (a+)+b takes time exponential in the length of the text, and would stop the whole
process, ingestion included. So a pattern from the network

- may not repeat, more than a few times, what itself repeats or has alternatives;
- may have only a few repeats beside each other;
- may have only a few choices beside each other (a?a?a?... is exponential in the pattern's length).

Then its time is a polynomial of small degree in the length of the text. The usual patterns of queries
(5.., /api/.*, GET|POST, .*checkout.*) are far within that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from math import log2
from typing import Any, NamedTuple

from ..errors import QueryError

# The parser of `re`. Its module is private, but its tree has not changed since Python 2.
_parser: Any = re._parser  # type: ignore[attr-defined]
_constants: Any = re._constants  # type: ignore[attr-defined]

#: How many repeats without a small bound may multiply: the degree of the polynomial.
MAX_DEGREE = 3
#: How many ways through the alternatives and optional parts there may be, as a power of two.
MAX_WAYS = 12
# Repeats up to so many times count as written out.
_FEW = 4

_REPEATS = (
    _constants.MAX_REPEAT,
    _constants.MIN_REPEAT,
    _constants.POSSESSIVE_REPEAT,
)


class _Cost(NamedTuple):
    """The matcher tries at most about 2**ways * length**degree times."""

    degree: int
    ways: float


_NOTHING = _Cost(0, 0.0)
_TOO_MUCH = _Cost(MAX_DEGREE + 1, 0.0)


def check_pattern(pattern: re.Pattern[str]) -> None:
    """Raise `QueryError` for a pattern that could take very long on some text."""
    cost = _cost(_parser.parse(pattern.pattern, pattern.flags))
    if cost.degree > MAX_DEGREE or cost.ways > MAX_WAYS:
        raise QueryError(
            f"the pattern {pattern.pattern[:60]!r} repeats too much: on some texts it would take "
            "very long. Do not repeat what repeats or has alternatives, and use at most "
            f"{MAX_DEGREE} of *, + and the like, and fewer optional parts."
        )


def _cost(items: Iterable[tuple[Any, Any]]) -> _Cost:
    """The cost of a sequence: each choice tries all that follows again."""
    costs = [_cost_of_one(code, argument) for code, argument in items]
    return _Cost(sum(cost.degree for cost in costs), sum(cost.ways for cost in costs))


def _cost_of_one(code: Any, argument: Any) -> _Cost:
    if code in _REPEATS:
        low, high, body = argument
        inner = _cost(body)
        if high <= _FEW:
            times = int(high)
            return _Cost(inner.degree * times, inner.ways * times + log2(high - low + 1))
        if inner.degree or _has_choice(body):
            return _TOO_MUCH
        return _NOTHING if low == high else _Cost(1, 0.0)
    if code is _constants.GROUPREF:
        return _Cost(1, 0.0)  # as long as what its group matched
    costs = [_cost(part) for part in _parts(code, argument)]
    if not costs:
        return _NOTHING
    return _Cost(
        max(cost.degree for cost in costs),
        max(cost.ways for cost in costs) + log2(len(costs)),
    )


def _has_choice(items: Iterable[tuple[Any, Any]]) -> bool:
    """Whether a sequence can match in several ways."""
    for code, argument in items:
        if code is _constants.BRANCH or (code in _REPEATS and argument[0] != argument[1]):
            return True
        if code in _REPEATS and _has_choice(argument[2]):
            return True
        if any(_has_choice(part) for part in _parts(code, argument)):
            return True
    return False


def _parts(code: Any, argument: Any) -> list[Any]:
    """The sequences inside an item of a parsed pattern; the item is no repeat."""
    if code is _constants.BRANCH:
        return list(argument[1])
    if code is _constants.SUBPATTERN:
        return [argument[-1]]
    if code in (_constants.ASSERT, _constants.ASSERT_NOT):
        return [argument[1]]
    if code is _constants.ATOMIC_GROUP:
        return [argument]
    if code is _constants.GROUPREF_EXISTS:
        return [part for part in argument[1:] if part is not None]
    return []
