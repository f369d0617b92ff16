"""Return codes of C functions become exceptions; here, which code becomes which, with what message."""

from __future__ import annotations

import pytest
from drivers.failures import CODES, exception_of

from urpo_store.errors import CorruptionError


@pytest.mark.parametrize(
    ("code", "kind", "message"),
    [
        ("NO_MEMORY", MemoryError, "no memory to read 3 series"),
        ("BAD_BYTES", CorruptionError, "could not read 3 series: stored bytes are damaged"),
        ("STOPPED", RuntimeError, "could not read 3 series: the engine answered -3"),
    ],
)
def test_each_code_has_its_exception(code: str, kind: type[Exception], message: str) -> None:
    found = exception_of(CODES[code], "read 3 series")
    assert type(found) is kind
    assert str(found) == message


def test_no_memory_and_bad_bytes_are_told_apart_by_type() -> None:
    short = exception_of(CODES["NO_MEMORY"], "do it")
    damaged = exception_of(CODES["BAD_BYTES"], "do it")
    assert not isinstance(short, CorruptionError)
    assert not isinstance(damaged, MemoryError)


def test_a_code_that_nobody_knows_is_told_with_its_number() -> None:
    found = exception_of(-77, "do it")
    assert type(found) is RuntimeError
    assert "-77" in str(found)
