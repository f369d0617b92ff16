"""What arrived: who sends, what was refused and why, how full the store is, and what to set."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from .. import text
from ..advice import losses, settings
from ..charts import bar
from ..model import Rejection, StoreStats
from .look import DIM, HEAD, PLAIN, WARN, Cell
from .state import Moment
from .table import Column, Table, TableRow
from .view import Loaded, View, matches


def why_empty(stats: StoreStats, rejections: Sequence[Rejection], endpoint: str, now: int) -> str:
    """An empty screen says why it is empty and what to set."""
    lines = []
    if stats.rejected_requests and not stats.accepted_points:
        lines.append(f"{stats.rejected_requests} requests came that are not OTLP.")
    if rejections and not stats.points:
        lines.append("Points came, and all were refused:")
        lines += [f"    {item.points} x {item.metric}: {item.reason}" for item in rejections[:5]]
    elif stats.accepted_points:
        age = None if stats.last_arrival is None else now - stats.last_arrival
        lines.append(f"Nothing in this range. The last point came {text.age(age)}.")
    else:
        lines.append("Nothing has arrived yet. An SDK exports once a minute unless it is told to.")
        lines += ["", settings(endpoint)]
    return "\n".join(lines)


class ArrivedView(View):
    NAME = "What arrived"
    FILTERS = "part of a service's name"

    def __init__(self) -> None:
        super().__init__()
        # When the accepted points were counted last, and how many came in a second since.
        self._counted: tuple[float, int] | None = None
        self._rate: float | None = None
        self._seen: list[str] = []

    def content(self) -> ComposeResult:
        yield Static(id="store")
        yield Table(
            (
                Column("FROM", grow=True),
                Column("SENDERS", ">"),
                Column("LAST SEEN"),
                Column("REFUSED LATELY", ">"),
            ),
            id="producers",
        )
        with VerticalScroll(id="refused", can_focus=True):
            yield Static(id="why")

    def load(self, moment: Moment) -> Any:
        names = self._seen or self.storage.services()[:50]
        seen = {name: self.storage.get_service_health(name, "1m", moment.now) for name in names}
        return self.storage.rejections(), {n: h.last_seen for n, h in seen.items() if h is not None}

    def show(self, loaded: Loaded) -> None:
        stats = loaded.stats
        rejections: Sequence[Rejection] = loaded.data[0]
        last_seen: Mapping[str, int | None] = loaded.data[1]
        assert stats is not None
        self._count(stats.accepted_points)
        refused: Counter[str] = Counter()
        for item in rejections:
            refused[item.service] += item.points
        rows = []
        for name in sorted({*stats.producers, *refused}):
            if not matches(self.filter, name):
                continue
            senders, bad = stats.producers.get(name, 0), refused.get(name, 0)
            seen = last_seen.get(name)
            age = None if seen is None else loaded.moment.now - seen
            rows.append(
                TableRow(
                    name,
                    (
                        Cell(name or "(no service)", PLAIN, name),
                        Cell(text.number(senders), PLAIN, senders),
                        Cell(text.age(age), PLAIN, age),
                        Cell(f"{bad} !" if bad else "0", WARN if bad else DIM, bad),
                    ),
                )
            )
        empty = why_empty(stats, rejections, self.urpo.endpoint, loaded.moment.now)
        table = self.query_one(Table)
        table.update_rows(rows, empty)
        self._seen = [str(key) for key in table.visible_keys()]
        self.query_one("#store", Static).update(self._store(stats, loaded.moment))
        self.query_one("#why", Static).update(_refusals(stats, rejections, self.urpo.endpoint))

    def _count(self, points: int) -> None:
        now = time.monotonic()
        if self._counted is None:
            self._counted = now, points
        elif now - self._counted[0] >= 1:
            self._rate = max(points - self._counted[1], 0) / (now - self._counted[0])
            self._counted = now, points

    def _store(self, stats: StoreStats, moment: Moment) -> Text:
        ring = stats.ring_points / stats.ring_capacity if stats.ring_capacity else 0.0
        full = stats.memory_bytes / stats.memory_limit if stats.memory_limit else 0.0
        many = stats.series / stats.max_series if stats.max_series else 0.0
        each = (
            f"{stats.compressed_bytes / stats.compressed_points:.2f} bytes a compressed point"
            if stats.compressed_points
            else "nothing compressed yet"
        )
        age = None if stats.last_arrival is None else moment.now - stats.last_arrival

        def line(name: str, share: float, shown: str) -> tuple[str, Any]:
            style = WARN if share > 0.9 else PLAIN
            drawn = bar(share, 12, ascii_only=self.ascii_only)
            return f"{name:<7}{drawn} {share * 100:3.0f} %  {shown}\n", style

        return Text.assemble(
            line("ring", ring, f"{text.number(stats.ring_points)} points not yet compressed"),
            line("memory", full, f"{text.size(stats.memory_bytes)}; {each}"),
            line("series", many, f"{stats.series} of {stats.max_series}"),
            (
                f"last point {text.age(age)}, {text.number(self._rate)} points/s, "
                f"{text.number(stats.accepted_points)} in all, {stats.late_points} late",
                DIM,
            ),
        )


def _refusals(stats: StoreStats, rejections: Sequence[Rejection], endpoint: str) -> Text:
    shown = Text()
    for line in losses(stats):
        shown.append(f"! {line}\n", WARN)
    if rejections:
        shown.append("Refused lately, newest first\n", HEAD)
        for item in rejections[:50]:
            of = f"{item.metric or '(no name)'} of {item.service or '(no service)'}"
            shown.append(text.printable(f"{item.points} x {of}: {item.reason}") + "\n")
    if not shown:
        shown.append("Nothing was refused, dropped or folded.\n", DIM)
    shown.append(f"\n{settings(endpoint)}", DIM)
    return shown
