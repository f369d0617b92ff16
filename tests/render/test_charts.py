"""Charts and texts on odd data."""

import math

import pytest

from urpo_store.render import charts


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


ODD = {
    "nothing": [],
    "one point": [5.0],
    "not finite": [math.nan, math.inf, -math.inf],
    "around a hole": [1.0, math.nan, 2.0],
    "all alike": [7.0] * 20,
    "zeros": [0.0] * 5,
    "negative": [-5.0, -1.0, -3.0],
    "the largest": [1.7e308, -1.7e308, 1.7e308],
    "the smallest": [5e-324, 0.0, 5e-324],
}


@pytest.mark.parametrize("ascii_only", [False, True])
@pytest.mark.parametrize("size", [(4, 1), (10, 2), (40, 6), (200, 50)])
@pytest.mark.parametrize("name", ODD)
def test_odd_data(name, size, ascii_only):
    values = ODD[name]
    width, height = size
    lines = drawn(range(len(values)), values, width=width, height=height, ascii_only=ascii_only)
    assert len(lines) == (height if any(map(math.isfinite, values)) else 1)
    assert charts.sparkline(values, ascii_only=ascii_only) is not None


def test_times_that_are_alike_or_far_away():
    assert len(drawn([1, 1, 1], [1, 2, 3], height=4)) == 4
    assert len(drawn([0, 1e18], [1, 2], height=4, start=5, end=6)) == 4
    assert len(drawn([math.nan, 1], [1, 2], height=4)) == 4


def test_lines_have_the_numbers_of_their_series():
    lines = [charts.Line([0, 1], [index, index]) for index in range(3)]
    rows = charts.line_chart(lines, width=30, height=9)
    assert {series for row in rows for _, series in row} == {None, 0, 1, 2}


def test_ten_thousand_series():
    lines = [charts.Line([0, 1, 2], [index, 0, index]) for index in range(10_000)]
    assert len(charts.line_chart(lines, width=80, height=20)) == 20


def test_more_series_than_marks_are_still_drawn():
    lines = [charts.Line([0, 1], [index, index]) for index in range(30)]
    text = "".join(charts.plain(charts.line_chart(lines, width=60, height=40, ascii_only=True)))
    assert set("*+ox#@%&") <= set(text)


def test_a_value_that_is_not_finite_is_a_gap():
    (line,) = drawn([0, 1, 2, 3], [1, 1, math.nan, 1], width=24, height=1, ascii_only=True)
    body = line.partition("|")[2]
    assert body.startswith("*****") and body.endswith("*") and " " in body


def test_heat_map():
    columns = [[0, 3, 0], [], [0, 0, 9]]
    rows = charts.plain(charts.heat_map(columns, ["<= 1", "<= 2", "more"], width=15, height=2))
    # The windows fill the width; nothing fell into the lowest bucket; a gap is a gap.
    assert rows == ["more │      ███", "<= 2 │░░░      "]
    tall = charts.plain(charts.heat_map(columns, ["<= 1", "<= 2", "more"], width=15, height=5))
    assert tall == [
        "more │      ███",
        "     │      ███",
        "<= 2 │░░░      ",
        "     │░░░      ",
    ]
    assert charts.plain(charts.heat_map([], [])) == ["(no points)"]
    assert charts.plain(charts.heat_map([[0.0]], ["all"])) == ["(no points)"]
    assert len(charts.heat_map([[1.0] * 500], ["x"] * 500, height=10)) == 10
    one = charts.plain(charts.heat_map([[1.0]], ["all"], width=9, height=1, ascii_only=True))
    assert one == ["all |####"]


def test_a_heat_map_of_more_windows_than_columns_adds_them_up():
    columns = [[1.0]] * 7 + [[0.0]] * 93
    (row,) = charts.plain(charts.heat_map(columns, ["all"], width=25, height=1, ascii_only=True))
    # 5 windows a column: the second one has two of the seven.
    assert row == "all |#:" + " " * 18


def test_bars():
    assert charts.bar(0.5, 4) == "██░░"
    assert charts.bar(math.nan, 3, ascii_only=True) == "..."
    assert charts.bar(7, 2) == "██"
