"""Quantiles of bucket vectors, as Python may call them (tests); see points/quantile.pxd."""

from collections.abc import Sequence

def explicit_quantile(
    q: float, bounds: Sequence[float], counts: Sequence[int], maximum: float | None = None
) -> float:
    """Quantile q of explicit buckets; `counts` has one element more than `bounds`."""

def exponential_quantile(
    q: float,
    scale: int,
    zero_count: int,
    zero_threshold: float,
    positive_offset: int,
    positive_counts: Sequence[int],
    negative_offset: int = 0,
    negative_counts: Sequence[int] = (),
) -> float:
    """Quantile q of exponential buckets."""

def merge_explicit(
    first_bounds: Sequence[float],
    first_counts: Sequence[int],
    second_bounds: Sequence[float],
    second_counts: Sequence[int],
) -> tuple[list[float], list[int]]:
    """Two vectors added at the bounds they share: (bounds, counts)."""
