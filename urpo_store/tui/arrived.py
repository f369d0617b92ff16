"""What arrived: who sends, what was refused and why, how full the store is, and what to set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from ..interfaces import HealthOfAll
from ..model import Rejection, ServiceHealthMetrics, StoreStats
from ..render import text
from ..render.advice import losses, settings
from ..render.charts import bar
from .look import DIM, HEAD, PLAIN, WARN, Cell
from .row_list import Column, ListRow, RowList
from .state import SECOND, Moment
from .view import Loaded, View, matches

#: How many services one load asks about, one by one.
_QUESTIONS = 50


def why_empty(stats: StoreStats, rejections: Sequence[Rejection], endpoint: str, now: int) -> str:
    """Why a screen is empty, and what to set."""
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
        # (time, points accepted, points refused) of the last count, and the rates since the count before it.
        self._counted: tuple[int, int, int] | None = None
        self._rates: tuple[float, float] | None = None
        self._seen: list[str] = []

    def content(self) -> ComposeResult:
        yield Static(id="store")
        yield RowList(
            (
                Column("FROM", grow=True),
                Column("SENDERS", ">"),
                Column("REQUESTS/s", ">", rank=1),
                Column("NEWEST POINT", ">"),
                Column("REFUSED LATELY", ">"),
            ),
            id="producers",
        )
        with VerticalScroll(id="refused", can_focus=True):
            yield Static(id="why")

    def load(self, moment: Moment) -> Any:
        if isinstance(self.storage, HealthOfAll):
            found = {health.service: health for health in self.storage.health("1m", moment.now)}
        else:
            found = {}
            for name in self._seen or self.storage.services()[:_QUESTIONS]:
                health = self.storage.get_service_health(name, "1m", moment.now)
                if health is not None:
                    found[name] = health
        return self.storage.rejections(), found

    def show(self, loaded: Loaded) -> None:
        stats = loaded.stats
        rejections: Sequence[Rejection] = loaded.data[0]
        health: Mapping[str, ServiceHealthMetrics] = loaded.data[1]
        assert stats is not None
        self._count(stats)
        refused: Counter[str] = Counter()
        for item in rejections:
            refused[item.service] += item.points
        rows = []
        for name in sorted({*stats.producers, *refused}):
            if not matches(self.filter, name):
                continue
            senders, bad = stats.producers.get(name, 0), refused.get(name, 0)
            known = health.get(name)
            rate = known.request_rate if known else None
            seen = known.last_seen if known else None
            age = None if seen is None else loaded.moment.now - seen
            rows.append(
                ListRow(
                    name,
                    (
                        Cell(name or "(no service)", PLAIN, name),
                        Cell(text.number(senders), PLAIN, senders),
                        Cell(text.rate(rate), PLAIN, rate),
                        Cell(text.age(age), PLAIN, age),
                        Cell(f"{bad} !" if bad else "0", WARN if bad else DIM, bad),
                    ),
                )
            )
        empty = why_empty(stats, rejections, self.urpo.endpoint, loaded.moment.now)
        row_list = self.query_one(RowList)
        row_list.update_rows(rows, empty)
        self._seen = [str(key) for key in row_list.visible_keys()]
        self.query_one("#store", Static).update(self._store(stats, loaded.moment))
        self.query_one("#why", Static).update(_refusals(stats, rejections, self.urpo.endpoint))

    def _count(self, stats: StoreStats) -> None:
        now = self.state.clock()
        if self._counted is None:
            self._counted = now, stats.accepted_points, stats.rejected_points
        elif now - self._counted[0] >= SECOND:
            before, accepted, rejected = self._counted
            passed = (now - before) / SECOND
            self._rates = (
                max(stats.accepted_points - accepted, 0) / passed,
                max(stats.rejected_points - rejected, 0) / passed,
            )
            self._counted = now, stats.accepted_points, stats.rejected_points

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
        arriving = "counting" if stats.accepted_points else "nothing yet"
        if self._rates is not None:
            arriving = f"{text.number(self._rates[0])} points/s"
            if self._rates[1]:
                arriving += f", {text.number(self._rates[1])}/s refused"

        def line(name: str, share: float, shown: str) -> tuple[str, Any]:
            style = WARN if share > 0.9 else PLAIN
            drawn = bar(share, 12, ascii_only=self.ascii_only)
            return f"{name:<9}{drawn} {share * 100:3.0f} %  {shown}\n", style

        return Text.assemble(
            (f"{'arriving':<9}{arriving}", HEAD),
            f"; {text.number(stats.accepted_points)} points in all, {stats.late_points} late, "
            f"the last one {text.age(age)}\n",
            line("ring", ring, f"{text.number(stats.ring_points)} points not yet compressed"),
            line("memory", full, f"{text.size(stats.memory_bytes)}; {each}"),
            line("series", many, f"{stats.series} of {stats.max_series}"),
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
        shown.append("Nothing was refused, dropped or collapsed.\n", DIM)
    if stats.points:  # else the losses say so
        shown.append(f"\n{settings(endpoint)}", DIM)
    return shown
