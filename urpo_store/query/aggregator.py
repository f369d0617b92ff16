"""Points to one row of figures, without a store: the built-in `MetricAggregator`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ..model import AggregatedMetrics, MetricPoint
from .quantiles import quantile


class Aggregator:
    """Count, sum, least, greatest, mean and quantiles of values as they are."""

    def aggregate(self, points: Iterable[MetricPoint] | Sequence[float]) -> AggregatedMetrics:
        """Aggregate the values of `points`; a histogram's or summary's value is its count.

        Takes points or plain numbers. Quantiles are linear between the two nearest ranks. NaN
        values are counted and make sum and mean NaN; extremes and quantiles pass over them. Without
        points count is 0 and everything else NaN.
        """
        values = np.array(
            [
                float(point.value.value if isinstance(point, MetricPoint) else point)
                for point in points
            ],
            np.float64,
        )
        numbers = values[~np.isnan(values)]
        with np.errstate(invalid="ignore"):  # infinities of both signs: the sum is NaN
            total = float(values.sum()) if len(values) else float("nan")
        return AggregatedMetrics(
            count=len(values),
            sum=total,
            min=float(numbers.min()) if len(numbers) else float("nan"),
            max=float(numbers.max()) if len(numbers) else float("nan"),
            avg=total / len(values) if len(values) else float("nan"),
            p50=quantile(values, 0.50),
            p95=quantile(values, 0.95),
            p99=quantile(values, 0.99),
        )
