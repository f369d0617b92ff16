"""`urpo-store doctor`: why a screen is empty, and what to set."""

from __future__ import annotations

import time
from collections import Counter

from ..api.client import HttpStorage
from ..model import ReceiverStatus
from ..render import text
from ..render.advice import losses, settings

#: Nanoseconds of silence that are worth a remark.
SILENT = 3 * 60 * 10**9

#: How many services with the same trouble are named.
NAMED = 10


def diagnose(storage: HttpStorage) -> tuple[str, bool]:
    """A report about a running serve, and whether metrics arrive."""
    receiver = storage.receiver()
    stats = storage.stats()
    now = time.time_ns()
    uptime = text.age(now - receiver.started).removesuffix(" ago")
    head = f"Listening on {receiver.grpc} (gRPC) and {receiver.http} (HTTP) for {uptime}."
    lines = []
    if stats.accepted_points:
        silence = None if stats.last_arrival is None else now - stats.last_arrival
        lines.append(
            f"{head} {stats.accepted_points} points of {stats.metrics} metrics have arrived from "
            f"{stats.services} services, the last one {text.age(silence)}."
        )
        if silence is not None and silence > SILENT:
            lines.append("Nothing has come since: is the application still running?")
        lines += services(storage)
    elif any(name.endswith("metrics") for name in receiver.requests):
        lines.append(f"{head} Requests have arrived, but no point that could be stored.")
    else:
        lines.append(f"{head} Nothing has arrived.")
    lines += other_signals(receiver)
    lines += [
        f"{count} requests were answered with {status}; the last one: {receiver.last_refusal}"
        for status, count in receiver.refused.items()
    ]
    lines += losses(stats)
    rejections = storage.rejections()
    if rejections:
        lines.append("Refused lately:")
        for item in rejections[:5]:
            of = f"{item.metric or '(no name)'} of {item.service or '(no service)'}"
            lines.append(f"    {item.points} x {of}: {item.reason}")
    if not stats.accepted_points:
        lines.append(settings(storage.url))
    return "\n".join(lines), stats.accepted_points > 0


def services(storage: HttpStorage) -> list[str]:
    """What is wrong with services: the first few names for each trouble, and how many more."""
    unnamed = [name for name in storage.services() if name.startswith("unknown_service")]
    silent = [health.service for health in storage.health() if health.source is None]
    lines = []
    for names, what in (
        (unnamed, "has no name of its own; set OTEL_SERVICE_NAME."),
        (silent, "sends no request metric, so its health is not known."),
    ):
        lines += [f"{name}: {what}" for name in names[:NAMED]]
        if len(names) > NAMED:
            lines.append(f"{len(names) - NAMED} more: {what}")
    return lines


def other_signals(receiver: ReceiverStatus) -> list[str]:
    """How many traces and logs came; they are accepted and dropped."""
    counts: Counter[str] = Counter()
    for name, count in receiver.requests.items():
        counts[name.rpartition(" ")[2]] += count
    return [
        f"{counts[signal]} requests of {signal} came; only metrics are kept here."
        for signal in ("traces", "logs")
        if counts[signal]
    ]
