"""Sentences for the doctor and the terminal: what to set, and what was lost."""

from __future__ import annotations

from ..model import StoreStats


def settings(url: str) -> str:
    """The lines to paste into the shell of an application."""
    return (
        "In the shell of your application:\n"
        f"    export OTEL_EXPORTER_OTLP_ENDPOINT={url}\n"
        "    export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\n"
        "    export OTEL_METRIC_EXPORT_INTERVAL=5000"
    )


def losses(stats: StoreStats) -> list[str]:
    """Everything that was refused, dropped or collapsed."""
    told = (
        (
            stats.rejected_requests,
            "requests were refused whole: they are not OTLP, or there was no memory",
        ),
        (stats.rejected_points, "points were refused"),
        (stats.evicted_points, "points were dropped for memory; raise --memory-limit"),
        (stats.evicted_series, "idle series were dropped; raise --memory-limit or --max-series"),
        (
            stats.overflowed_points,
            "points were collapsed into urpo.overflow: too many attribute sets; raise --max-series",
        ),
        (
            stats.baseline_points,
            "points of sets without room only began a count, or came late: they are in no total",
        ),
        (stats.dropped_exemplars, "exemplars were dropped"),
    )
    return [f"{count} {what}." for count, what in told if count]
