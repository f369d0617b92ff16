"""The command: a real `serve` in its own process, a real SDK that sends to it, and what is printed."""

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
from urllib.parse import urlsplit

import pytest
from helpers.captured import captured
from helpers.served import run, serving
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from urpo_store import UrpoStoreError
from urpo_store.api.client import HttpStorage


def test_taken_port_is_1_and_names_the_flag():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run("serve", "--grpc-port", str(port), "--http-port", "0")
    assert done.returncode == 1
    assert f"port {port} is in use" in done.stderr
    assert "--grpc-port" in done.stderr


def test_data_dir_is_refused_until_it_is_built(tmp_path):
    done = run("serve", "--data-dir", str(tmp_path))
    assert done.returncode == 1
    assert "not built yet" in done.stderr


def test_serve_drains_on_sigterm_and_exits_0():
    with serving() as (process, url, _):
        storage = HttpStorage(url)
        (request,) = captured(rounds=1)
        points = storage.ingest(request).accepted
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert f"{points} points had arrived" in process.stdout.read()


def test_health_table(served):
    done = run("health", "--url", served)
    assert done.returncode == 0, done.stderr
    header, row = done.stdout.splitlines()
    assert header.split()[:3] == ["SERVICE", "RATE/s", "ERRORS"]
    assert row.split()[:6] == ["tests/captured", "-", "-", "-", "-", "-"]
    assert "no request metric: sends captured.counter" in row


def test_health_json(served):
    (health,) = json.loads(run("health", "--json", "--url", served).stdout)
    assert health["service"] == "tests/captured"
    assert health["request_rate"] is None
    assert set(health) == {
        "service",
        "request_rate",
        "error_rate",
        "request_count",
        "error_count",
        "p50_latency",
        "p95_latency",
        "p99_latency",
        "source",
        "last_seen",
    }


def test_health_of_an_unknown_service(served):
    done = run("health", "nobody", "--url", served)
    assert (done.returncode, done.stdout) == (1, "")
    assert "tests/captured" in done.stderr


def test_metrics(served):
    lines = run("metrics", "--url", served).stdout.splitlines()
    assert any(re.match(r"captured\.histogram\s+histogram\s+s\s+cumulative\s+1", x) for x in lines)
    names = {item["name"] for item in json.loads(run("metrics", "--json", "--url", served).stdout)}
    assert "captured.gauge" in names


def test_stats(served):
    stats = json.loads(run("stats", "--json", "--url", served).stdout)
    assert stats["accepted_points"] == stats["points"] > 0
    assert "accepted_points" in run("stats", "--url", served).stdout


def test_query_table_csv_chart(served):
    query = ("query", "captured.gauge", "--url", served, "--start", "0")
    assert run(*query).stdout.splitlines()[0].split() == ["TIME", "VALUE", "UNIT", "SERIES"]
    rows = run(*query, "--csv").stdout.splitlines()
    assert rows[0] == "timestamp,value,metric,unit,service,attributes"
    assert [row.split(",")[1] for row in rows[1:]] == ["3.5", "3", "3.5"]
    assert "captured.gauge [By]" in run(*query, "--chart").stdout


@pytest.mark.parametrize("environment", [{"URPO_STORE_ASCII": "1"}, {"PYTHONIOENCODING": "ascii"}])
def test_a_chart_in_plain_characters(served, environment):
    query = ("query", "captured.gauge", "--url", served, "--start", "0", "--chart")
    done = run(*query, **environment)
    assert done.returncode == 0 and done.stdout.isascii() and "*" in done.stdout


def test_health_is_watched_until_it_is_stopped(served):
    command = [sys.executable, "-m", "urpo_store.cli", "health", "--watch", "0.05", "--url", served]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        headers = 0
        while headers < 3:  # again and again
            line = process.stdout.readline()
            assert line
            headers += line.startswith("SERVICE")
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    assert "above 0" in run("health", "--watch", "0", "--url", served).stderr


@pytest.mark.parametrize(
    ("where", "value"),
    [("k=1", "1"), ("k:int=1", 1), ("k:bool=true", True), ("k:double=1.0", 1.0)],
)
def test_typed_where(served, where, value):
    """k=1, k="1" and k=true stay three series in the command line, too."""
    query = ("query", "captured.counter", "--url", served, "--start", "0", "--where", where)
    (series,) = json.loads(run(*query, "--json").stdout)
    assert series["attributes"]["k"] == value
    assert type(series["attributes"]["k"]) is type(value)


def test_where_regex_and_absent(served):
    query = ("query", "captured.counter", "--url", served, "--start", "0", "--json", "--where")
    assert len(json.loads(run(*query, "k~1|true").stdout)) == 4
    (series,) = json.loads(run(*query, "k:absent=").stdout)
    assert "text" in series["attributes"]


@pytest.mark.parametrize("where", ["k:int=x", "=1", "nothing", "k~(", "k:bool=1"])
def test_wrong_where_says_what_is_wrong(served, where):
    done = run("query", "captured.counter", "--url", served, "--where", where)
    assert done.returncode == 2
    assert where in done.stderr


def test_unknown_metric_names_the_known(served):
    done = run("query", "nothing", "--url", served)
    assert done.returncode == 1
    assert "captured.counter" in done.stderr


def test_the_number_of_senders_is_a_flag():
    with serving("--connections", "2") as (_, url, _):
        address = urlsplit(url)
        silent = [socket.create_connection((address.hostname, address.port)) for _ in range(2)]
        connection = http.client.HTTPConnection(address.netloc, timeout=10)
        connection.request("GET", "/api/v1/services")
        assert connection.getresponse().status == 503
        for each in (connection, *silent):
            each.close()


def test_limits_of_requests_and_answers_are_flags():
    with serving("--request-limit", "1KiB", "--answer-limit", "100B") as (_, url, _):
        storage = HttpStorage(url)
        with pytest.raises(UrpoStoreError, match="more than 1024 bytes"):
            storage.ingest(bytes(1025))
        (request,) = captured(rounds=1)
        for metric in ("captured.gauge", "captured.counter"):
            # Of one metric at a time, so that it is small enough.
            message = ExportMetricsServiceRequest.FromString(request)
            scope = message.resource_metrics[0].scope_metrics[0]
            kept = [each for each in scope.metrics if each.name == metric][:1]
            del scope.metrics[:]
            scope.metrics.extend(kept)
            storage.ingest(message.SerializeToString())
        done = run("query", "captured.counter", "--url", url, "--start", "0")
        assert done.returncode == 1
        assert "100 bytes" in done.stderr


def test_token_guards_everything():
    with serving("--auth-token", "secret") as (_, url, _):
        assert run("stats", "--url", url).returncode == 1
        assert run("stats", "--url", url, "--auth-token", "secret").returncode == 0
