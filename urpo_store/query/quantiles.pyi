"""Quantiles of the values of gauges and sums, by group and window."""

from urpo_store.model import Float64Array, Int64Array
from urpo_store.query.select import Groups
from urpo_store.query.source import Scanned
from urpo_store.query.times import Windows

def quantiles(
    scanned: Scanned, bases: Int64Array, groups: Groups, windows: Windows, q: float
) -> tuple[Int64Array, Int64Array, Int64Array, Float64Array]: ...
def quantile(values: Float64Array, q: float) -> float: ...
