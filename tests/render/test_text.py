"""Numbers, ages and columns as text."""

import math

import pytest

from urpo_store.render import text


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (3.0, "3"), (12.44, "12.4"), (1250, "1.25k"), (math.nan, "NaN"), (None, "-")],
)
def test_numbers(value, shown):
    assert text.number(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.038, "38 ms"), (0.9, "0.9 s"), (0.21, "210 ms"), (2.5, "2.5 s"), (0.0004, "400 us")],
)
def test_seconds(value, shown):
    assert text.seconds(value) == shown


def test_columns_align_wide_characters():
    shown = text.columns(("A", "B"), [("größe", "1"), ("字字", "22"), ("a\x1b[2J", "3")], "<>")
    assert "\x1b" not in shown
    assert {text.width(line) for line in shown.splitlines()} == {5 + 2 + 2}


@pytest.mark.parametrize(
    ("amount", "unit", "shown"),
    [
        (0.038, "s", "38 ms"),
        (38.0, "ms", "38 ms"),
        (2.5 * 1024**2, "By", "2.5 MiB"),
        (-3.0, "By", "-3 B"),
        (12.0, "{request}", "12"),
        (12.0, "{request}/s", "12/s"),
        (21.5, "Cel", "21.5 Cel"),
        (0.25, "1", "0.250"),
        (math.nan, "s", "NaN"),
        (None, "By", "-"),
        (0.0, "s", "0 s"),
    ],
)
def test_values_with_units(amount, unit, shown):
    assert text.value(amount, unit) == shown
