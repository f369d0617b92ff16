"""The engine's numbers of kinds and temporalities (engine/points/slots.pxd), and their names."""

from __future__ import annotations

from ..model import MetricKind

#: A sum has one number; whether it is monotonic makes it a counter.
_SUM = 2
_KINDS = {
    1: MetricKind.GAUGE,
    _SUM: MetricKind.UP_DOWN_COUNTER,
    3: MetricKind.HISTOGRAM,
    4: MetricKind.EXPONENTIAL_HISTOGRAM,
    5: MetricKind.SUMMARY,
}
_NUMBERS = {kind: number for number, kind in _KINDS.items()} | {MetricKind.COUNTER: _SUM}

TEMPORALITIES = {0: None, 1: "delta", 2: "cumulative"}
TEMPORALITY_NUMBERS = {name: number for number, name in TEMPORALITIES.items()}


def metric_kind(number: int, monotonic: int) -> MetricKind:
    return MetricKind.COUNTER if number == _SUM and monotonic else _KINDS[number]


def kind_number(kind: MetricKind) -> int:
    return _NUMBERS[kind]
