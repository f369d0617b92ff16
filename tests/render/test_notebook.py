"""Tables in notebooks."""

import math

import pytest

import urpo_store
from urpo_store import Gauge, MetricPoint, MetricQuery

BASE = 1_700_000_000_000_000_000


@pytest.fixture
def table():
    with urpo_store.open(retention=None) as store:
        for number, name in enumerate(("plain", "<script>")):
            for index, value in enumerate((1.0, 2.5, math.nan, number)):
                point = MetricPoint(
                    "s", "m", Gauge(value), {"k": name}, BASE + index * 10**9, unit="By"
                )
                assert store.store_metric(point).accepted == 1
        yield store.query_metrics(MetricQuery("m", start=BASE, end=BASE + 10**10))


def test_html(table):
    shown = table._repr_html_()
    assert shown.startswith("<p>2 series, 8 points</p><table>")
    assert "<script>" not in shown and "&lt;script&gt;" in shown
    # A gap: two polylines.
    assert shown.count("<polyline") == 4
    assert "nan" not in shown.lower().replace("&lt;", "")


def test_html_of_nothing():
    with urpo_store.open() as store:
        assert "0 series, 0 points" in store.query_metrics(MetricQuery("none"))._repr_html_()


def test_plot(table):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    axes = table.plot()
    assert len(axes.lines) == 2 and axes.get_ylabel() == "m [By]"
    assert table.plot(ax=axes, color="black") is axes and len(axes.lines) == 4
