"""`make peers`: the same points to urpo-store and to other stores, one after the other; one table.

    python asv_benchmarks/peers.py [NAME ...]

1,000 series, half of them counters and half gauges of one decimal, 1,000 points each, a second apart
and up to now, sent in 1,000 requests of one time each, as an exporter would. Then the same question:
the rate of the counters by host, every 10 s over the whole range.

What each is given is what it takes best, made beforehand, and so not the same work:

  urpo-store (library, gRPC, HTTP)  OTLP: names, attributes and resource in every request, and the health
                                    of the service kept beside
  Prometheus, VictoriaMetrics       remote write (protobuf in snappy): all labels in every request
  tsink                             rows with their labels, as objects (its Python interface has no other)
  DuckDB, SQLite                    numbers of series, which the caller has looked up; labels in a table

"Sent" is when the last request was acknowledged, "visible" when a query finds all points. Servers run in a
process of their own, whose CPU and resident memory count, Python's 50 MB included; what is embedded counts
the process that embeds it, less what it had before the first request. Disk is what the data directory holds
in the end: urpo-store keeps this in memory; Prometheus has its log only (it cuts blocks after hours).
tsink's CPU is for the larger part the conversion of Python objects.
"""

from __future__ import annotations

import http.client
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import numpy as np  # noqa: E402
from benchmarks.server import cpu_seconds, resident, send_grpc, send_http, serving  # noqa: E402

SERIES, TICKS, STEP = 1_000, 1_000, 1_000  # STEP in milliseconds
HOSTS = 50
RATE = "sum by (host) (rate(requests_total[10s]))"


class Points:
    """values[tick, series] at times[tick] (ms); even series are counters, odd ones gauges."""

    def __init__(self) -> None:
        chance = np.random.default_rng(1)
        self.end = time.time_ns() // 10**10 * 10_000
        self.times = self.end - STEP * np.arange(TICKS - 1, -1, -1)
        moves = chance.integers(0, 100, (TICKS, SERIES))
        gauges = np.round(50 + np.cumsum(chance.integers(-9, 10, (TICKS, SERIES)), 0) / 10, 1)
        self.values = np.where(np.arange(SERIES) % 2 == 0, np.cumsum(moves, 0), gauges).astype(
            float
        )
        self.names = ["requests_total" if i % 2 == 0 else "temperature" for i in range(SERIES)]
        self.labels = [
            {"service": "shop", "host": f"host-{i % HOSTS}", "instance": f"instance-{i}"}
            for i in range(SERIES)
        ]
        #: The increase of all counters: every answer must come near, whatever its rules at the edges.
        self.increase = float((self.values[-1] - self.values[0])[::2].sum())

    def otlp(self) -> list[bytes]:
        from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2

        request = metrics_service_pb2.ExportMetricsServiceRequest()
        block = request.resource_metrics.add()
        block.resource.attributes.add(key="service.name").value.string_value = "shop"
        scope = block.scope_metrics.add()
        counter = scope.metrics.add(name="requests_total").sum
        counter.aggregation_temporality, counter.is_monotonic = 2, True
        gauge = scope.metrics.add(name="temperature").gauge
        points = []
        for i in range(SERIES):
            point = (gauge if i % 2 else counter).data_points.add()
            for key in ("host", "instance"):
                point.attributes.add(key=key).value.string_value = self.labels[i][key]
            points.append(point)
        made = []
        for tick in range(TICKS):
            for point, value in zip(points, self.values[tick].tolist(), strict=True):
                point.time_unix_nano = int(self.times[tick]) * 1_000_000
                point.as_double = value
            made.append(request.SerializeToString())
        return made

    def remote_write(self) -> list[bytes]:
        """prometheus.WriteRequest in snappy: by hand, for its generated code is not on PyPI."""
        import cramjam
        from helpers.otlp import varint

        def field(number: int, content: bytes) -> bytes:
            return varint(number << 3 | 2) + varint(len(content)) + content

        heads = []
        for name, labels in zip(self.names, self.labels, strict=True):
            pairs = sorted({"__name__": name, **labels}.items())
            heads.append(
                b"".join(field(1, field(1, k.encode()) + field(2, v.encode())) for k, v in pairs)
            )
        made = []
        for tick in range(TICKS):
            stamp = b"\x10" + varint(int(self.times[tick]))
            values = self.values[tick]
            body = b"".join(
                field(1, head + field(2, b"\x09" + values[i].tobytes() + stamp))
                for i, head in enumerate(heads)
            )
            made.append(bytes(cramjam.snappy.compress_raw(body)))
        return made


class Request:
    """Posts on one connection."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def __call__(self, method: str, path: str, body: bytes | None = None, **headers: str) -> bytes:
        sent = {key.replace("_", "-"): value for key, value in headers.items()}
        self.connection.request(method, path, body, sent)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status not in (200, 204):
            raise RuntimeError(f"{path}: {answer.status} {text[:200]!r}")
        return text


def disk(directory: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in directory.rglob("*") if path.is_file())


def best(question, times: int = 5) -> tuple[float, float]:
    """(seconds of the fastest, the answer: an increase)."""
    seconds = []
    for _ in range(times):
        begin = time.perf_counter()
        answer = question()
        seconds.append(time.perf_counter() - begin)
    return min(seconds), answer


# ---- servers ----------------------------------------------------------------------------------------


def measure_server(pid: int, send, visible, question) -> dict[str, float | None]:
    cpu, begin = cpu_seconds(pid), time.perf_counter()
    send()
    wall = time.perf_counter() - begin
    used = cpu_seconds(pid) - cpu
    visible()
    waited = time.perf_counter() - begin
    query, increase = best(question)
    return {
        "wall": wall,
        "visible": waited,
        "cpu": used,
        "memory": resident(pid),
        "disk": None,
        "query": query,
        "increase": increase,
    }


def urpo_increase(points: Points, storage) -> float:
    import urpo_store

    query = urpo_store.MetricQuery(
        "requests_total",
        start=int(points.times[0]) * 1_000_000,
        end=points.end * 1_000_000,
        step="10s",
        aggregation=urpo_store.Aggregation.RATE,
        by=("host",),
    )
    return sum(float(np.nansum(series.values)) for series in storage.query_metrics(query)) * 10


def urpo_server(points: Points, transport: str) -> dict[str, float | None]:
    import urpo_store

    requests = points.otlp()
    with serving() as (pid, http_port, grpc_port):
        ask = Request(http_port)
        storage = urpo_store.open(f"http://127.0.0.1:{http_port}")  # takes Arrow

        def question() -> float:
            return urpo_increase(points, storage)

        def send() -> None:
            (send_http if transport == "http" else send_grpc)(
                http_port if transport == "http" else grpc_port, requests
            )

        def visible() -> None:
            stats = json.loads(ask("GET", "/api/urpo/v1/stats"))
            assert stats["points"] == SERIES * TICKS, stats

        return measure_server(pid, send, visible, question)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def promql_server(points: Points, command: list[str], port: int, write: str, directory: Path):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        requests = points.remote_write()
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                Request(port)("GET", "/-/healthy")
                break
            except (OSError, RuntimeError):
                if time.monotonic() > deadline or process.poll() is not None:
                    raise
                time.sleep(0.05)
        ask = Request(port)
        start, end = int(points.times[0]) / 1000, points.end / 1000

        def instant(text: str) -> list:
            query = urllib.parse.urlencode({"query": text, "time": end, "nocache": 1})
            return json.loads(ask("GET", f"/api/v1/query?{query}"))["data"]["result"]

        def send() -> None:
            for body in requests:
                ask(
                    "POST",
                    write,
                    body,
                    Content_Type="application/x-protobuf",
                    Content_Encoding="snappy",
                    X_Prometheus_Remote_Write_Version="0.1.0",
                )

        def visible() -> None:
            count = 'sum(count_over_time({service="shop"}[2h]))'
            while not (found := instant(count)) or float(found[0]["value"][1]) < SERIES * TICKS:
                time.sleep(0.05)

        def question() -> float:
            query = urllib.parse.urlencode(
                {"query": RATE, "start": start, "end": end, "step": "10s", "nocache": 1}
            )
            result = json.loads(ask("GET", f"/api/v1/query_range?{query}"))["data"]["result"]
            return sum(float(value) for series in result for _, value in series["values"]) * 10

        measured = measure_server(process.pid, send, visible, question)
        process.send_signal(signal.SIGTERM)
        process.wait()
        return measured | {"disk": disk(directory)}
    finally:
        process.kill()
        process.wait()


def prometheus(points: Points, directory: Path):
    port = free_port()
    config = directory / "prometheus.yml"
    config.write_text("")
    data = directory / "data"
    command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={data}"]
    command += ["--web.enable-remote-write-receiver", f"--web.listen-address=127.0.0.1:{port}"]
    return promql_server(points, command, port, "/api/v1/write", data)


def victoria_metrics(points: Points, directory: Path):
    port = free_port()
    command = ["victoria-metrics", f"-storageDataPath={directory}"]
    command += [f"-httpListenAddr=127.0.0.1:{port}", "-search.latencyOffset=0s"]
    return promql_server(points, command, port, "/api/v1/write", directory)


# ---- embedded -----------------------------------------------------------------------------------------


def measure_library(send, question) -> dict[str, float | None]:
    memory, used = resident(os.getpid()), resource.getrusage(resource.RUSAGE_SELF)
    begin = time.perf_counter()
    send()
    wall = time.perf_counter() - begin
    after = resource.getrusage(resource.RUSAGE_SELF)
    grown = max(resident(os.getpid()) - memory, 0)
    query, increase = best(question)
    return {
        "wall": wall,
        "visible": wall,
        "cpu": after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime,
        "memory": grown,
        "disk": None,
        "query": query,
        "increase": increase,
    }


def urpo_library(points: Points, directory: Path):
    import urpo_store

    requests = points.otlp()
    store = urpo_store.open(retention=None)

    def send() -> None:
        for request in requests:
            store.ingest(request)
        assert store.stats().points == SERIES * TICKS

    return measure_library(send, lambda: urpo_increase(points, store))


#: The increase between neighbours, where it is one; resets do not occur in these points.
SQL_RATE = """
    SELECT host, t / 10000 AS instant, sum(gain) / 10 AS rate FROM (
        SELECT s.host AS host, p.t AS t,
               p.value - lag(p.value) OVER (PARTITION BY p.series ORDER BY p.t) AS gain
        FROM points p JOIN series s ON s.id = p.series WHERE s.name = 'requests_total')
    GROUP BY 1, 2
"""
SQL_TABLES = (
    "CREATE TABLE series (id INTEGER PRIMARY KEY, name TEXT, service TEXT, host TEXT, instance TEXT)",
    "CREATE TABLE points (series INTEGER, t BIGINT, value DOUBLE)",
)


def series_rows(points: Points) -> list[tuple[object, ...]]:
    return [
        (i, points.names[i], *(points.labels[i][key] for key in ("service", "host", "instance")))
        for i in range(SERIES)
    ]


def total(rows: list[tuple[str, int, float | None]]) -> float:
    return sum(rate or 0 for _, _, rate in rows) * 10


def duck_db(points: Points, directory: Path):
    import duckdb
    import pyarrow as pa

    connection = duckdb.connect(str(directory / "points.db"))
    for statement in SQL_TABLES:
        connection.execute(statement)
    connection.executemany("INSERT INTO series VALUES (?, ?, ?, ?, ?)", series_rows(points))
    numbers = np.arange(SERIES, dtype=np.int32)
    batches = [
        pa.table({"series": numbers, "t": np.full(SERIES, t), "value": values})
        for t, values in zip(points.times, points.values, strict=True)
    ]

    def send() -> None:
        for batch in batches:
            connection.register("batch", batch)
            connection.execute("INSERT INTO points SELECT * FROM batch")

    measured = measure_library(send, lambda: total(connection.execute(SQL_RATE).fetchall()))
    connection.close()
    return measured | {"disk": disk(directory)}


def sqlite(points: Points, directory: Path):
    import sqlite3

    connection = sqlite3.connect(directory / "points.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    for statement in SQL_TABLES:
        connection.execute(statement)
    connection.executemany("INSERT INTO series VALUES (?, ?, ?, ?, ?)", series_rows(points))
    batches = [
        list(zip(range(SERIES), [t] * SERIES, values, strict=True))
        for t, values in zip(points.times.tolist(), points.values.tolist(), strict=True)
    ]

    def send() -> None:
        for batch in batches:
            connection.execute("BEGIN")
            connection.executemany("INSERT INTO points VALUES (?, ?, ?)", batch)
            connection.execute("COMMIT")

    measured = measure_library(send, lambda: total(connection.execute(SQL_RATE).fetchall()))
    connection.close()
    return measured | {"disk": disk(directory)}


def tsink(points: Points, directory: Path):
    import tsink as library

    builder = library.TsinkStorageBuilder()
    builder.with_data_path(str(directory))
    builder.with_timestamp_precision(library.TimestampPrecision.MILLISECONDS)
    database = builder.build()
    labels = [
        [library.Label(name=name, value=value) for name, value in sorted(each.items())]
        for each in points.labels
    ]

    def rows(tick: int):
        t = int(points.times[tick])
        return [
            library.Row(
                metric=points.names[i],
                labels=labels[i],
                data_point=library.DataPoint(value=library.Value.F64(value), timestamp=t),
            )
            for i, value in enumerate(points.values[tick].tolist())
        ]

    batches = [rows(tick) for tick in range(TICKS)]

    def send() -> None:
        for batch in batches:
            database.insert_rows(batch)

    def question() -> float:
        # It has no rate: the points are read, and added up here.
        begin, end = int(points.times[0]), points.end + 1
        found = 0.0
        for series in database.select_all("requests_total", begin, end):
            found += series.data_points[-1].value.v - series.data_points[0].value.v
        return found

    measured = measure_library(send, question)
    database.close()
    return measured | {"disk": disk(directory)}


PEERS = {
    "urpo-store, library": urpo_library,
    "urpo-store, gRPC": lambda points, directory: urpo_server(points, "grpc"),
    "urpo-store, HTTP": lambda points, directory: urpo_server(points, "http"),
    "VictoriaMetrics": victoria_metrics,
    "Prometheus": prometheus,
    "DuckDB": duck_db,
    "SQLite": sqlite,
    "tsink": tsink,
}
NEEDS = {"VictoriaMetrics": "victoria-metrics", "Prometheus": "prometheus"}


def run_one(name: str) -> None:
    """In a process of its own: prints its row as JSON."""
    with tempfile.TemporaryDirectory() as directory:
        points = Points()
        row = PEERS[name](points, Path(directory))
        # Windows differ at their edges: of n points, n - 1 or fewer increases are seen.
        if not 0.8 * points.increase <= row["increase"] <= 1.2 * points.increase:
            raise RuntimeError(
                f"{name} found an increase of {row['increase']}, not {points.increase}"
            )
        print(json.dumps(row))


def main(*names: str) -> int:
    print("| store | sent, s | visible, s | CPU, ns/point | memory, MB | disk, MB | query, ms |")
    print("|---|---|---|---|---|---|---|")
    count = SERIES * TICKS
    for name in names or PEERS:
        if name in NEEDS and shutil.which(NEEDS[name]) is None:
            print(f"| {name} | not installed (Debian: {NEEDS[name]}) | | | | | |")
            continue
        command = [sys.executable, __file__, "--one", name]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            print(f"| {name} | failed: {done.stderr.strip().splitlines()[-1]} | | | | | |")
            continue
        row = json.loads(done.stdout)
        stored = "-" if row["disk"] is None else f"{row['disk'] / 1e6:.1f}"
        print(
            f"| {name} | {row['wall']:.2f} | {row['visible']:.2f} | {row['cpu'] / count * 1e9:.0f} | "
            f"{row['memory'] / 1e6:.1f} | {stored} | {row['query'] * 1e3:.1f} |",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        run_one(sys.argv[2])
    else:
        sys.exit(main(*sys.argv[1:]))
