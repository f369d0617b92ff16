"""Patterns that could stop the process are refused, those that people write are not."""

import re
import time

import pytest

from urpo_store.errors import QueryError
from urpo_store.receiver.patterns import check_pattern


@pytest.mark.parametrize(
    "text",
    [
        "", "5..", "5[0-9]{2}", "/api/.*", ".*checkout.*", "GET|POST|(?:PUT)", "(GET|POST)",
        r"/users/\d+/orders/\d+", r"(?i)ab?c?", r"v\d+(\.\d+)?", r"(\d{1,3}\.){3}\d{1,3}",
        "(foo|bar)?baz", "[^/]+/[^/]+", "(?P<x>a+)b", "(?=.*a).*", "a{1000}", "(ab)*", "(?:abc)+x*",
        r"(\w\d){2,100}", "|".join(f"/route/{n}" for n in range(100)), "a?" * 12,
    ],
)  # fmt: skip
def test_what_people_write(text: str) -> None:
    check_pattern(re.compile(text))


@pytest.mark.parametrize(
    "text",
    [
        "(a+)+b", "(a*)*b", "(a|a)*b", "(a|ab|b)*c", "((a?){2})*c", "(a?)*b", "(.*)*x", "(.*,)+x",
        "(?:a|aa)+$", "(x+x+)+y", "((ab)+)*c", "(?:(?:a+)b?)+c", ".*.*.*.*x", "(.*){4}x",
        "(a+){50}b", r"(a*)\1*b", "(?=(a+)+b).*", "(?:(a|b)|(?:a+)+)c", "(?>(a+)+)b", "(a{1,9})*b",
        "a?" * 30 + "a" * 30, "(a|aa)" * 20 + "b", "((a?b?){4}){4}", "(a{0,3}){4}" * 4,
    ],
)  # fmt: skip
def test_what_could_take_for_ever(text: str) -> None:
    with pytest.raises(QueryError, match="repeats too much"):
        check_pattern(re.compile(text))


def test_what_is_let_through_is_quick() -> None:
    """The worst that passes, on a long text, ends soon."""
    started = time.perf_counter()
    for text in ("a*a*a*b", "a?" * 12 + "a" * 12 + "b"):
        pattern = re.compile(text)
        check_pattern(pattern)
        assert not pattern.fullmatch("a" * 300)
    assert time.perf_counter() - started < 5
