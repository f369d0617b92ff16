"""Charts and texts on odd data."""

import math

import pytest

from urpo_store import charts, text


def drawn(times, values, **options):
    """One line, without colours."""
    return charts.plain(charts.line_chart([charts.Line(times, values)], **options))


def test_sparkline():
    assert charts.sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert charts.sparkline([1, math.nan, 2], ascii_only=True) == "+ @"
    assert charts.sparkline([]) == ""
    assert charts.sparkline([math.inf]) == " "
    assert charts.sparkline([0, 0]) == "▁▁"
    assert len(charts.sparkline(range(100), 10)) == 10


@pytest.mark.parametrize("values", [[], [math.nan], [math.inf, -math.inf]])
def test_chart_without_points(values):
    assert drawn(range(len(values)), values) == ["(no points)"]


@pytest.mark.parametrize("ascii_only", [False, True])
@pytest.mark.parametrize("values", [[1], [1, 2], [5, math.nan, 1], [-1, 1], [0, 0, 0]])
def test_chart_has_its_size(values, ascii_only):
    lines = drawn(range(len(values)), values, width=40, height=6, ascii_only=ascii_only)
    assert len(lines) == 6
    assert len({len(line) for line in lines}) == 1
    assert len(lines[0]) <= 40
    if ascii_only:
        assert "".join(lines).isascii()


def test_gap_is_a_gap():
    joined = drawn([0, 10], [1, 1], width=30, height=2, ascii_only=True)
    apart = drawn([0, 10], [1, 1], width=30, height=2, ascii_only=True, gap=5)
    assert joined[0].count("*") > 2
    assert apart[0].count("*") == 2


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


def test_table_aligns_wide_characters():
    shown = text.table(("A", "B"), [("größe", "1"), ("字字", "22"), ("a\x1b[2J", "3")], "<>")
    assert "\x1b" not in shown
    assert {text.width(line) for line in shown.splitlines()} == {5 + 2 + 2}
