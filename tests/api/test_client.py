"""Everything that a storage answers, through a real server and the client, comes back unchanged."""

import dataclasses
import json
import re
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
from helpers import fake_storage
from helpers.fake_storage import FakeStorage
from helpers.requests import GAUGE_JSON, gauge_request
from helpers.same import assert_same

from urpo_store import errors, model
from urpo_store.api.client import HttpStorage
from urpo_store.interfaces import MetricStorage
from urpo_store.receiver import Limits, Server

QUERY = model.MetricQuery(metric="m")


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[FakeStorage, Server]]:
    storage = FakeStorage()
    with Server(
        storage, grpc_port=None, http_port=0, limits=Limits(answer_bytes=200_000)
    ) as server:
        yield storage, server


@pytest.fixture
def storage(running: tuple[FakeStorage, Server]) -> FakeStorage:
    running[0].__init__()
    return running[0]


@pytest.fixture(params=[False, True], ids=["json", "arrow"])
def client(
    running: tuple[FakeStorage, Server], request: pytest.FixtureRequest
) -> Iterator[HttpStorage]:
    with HttpStorage(running[1].url, arrow=request.param) as client:
        yield client


def test_it_is_a_metric_storage(client: HttpStorage) -> None:
    assert isinstance(client, MetricStorage)


@pytest.mark.parametrize("name", ["NUMBERS", "HISTOGRAM", "EXPONENTIAL", "SUMMARY", "EMPTY"])
def test_series_of_every_kind(client: HttpStorage, storage: FakeStorage, name: str) -> None:
    series = getattr(fake_storage, name)
    storage.answers["query_metrics"] = [series]
    table = client.query_metrics(QUERY)
    assert isinstance(table, model.MetricTable)
    assert_same(list(table), [series])


def test_tables(client: HttpStorage, storage: FakeStorage) -> None:
    assert list(client.query_metrics(QUERY)) == []
    both = [fake_storage.HISTOGRAM, fake_storage.EXPONENTIAL]
    storage.answers["query_metrics"] = both
    assert_same(list(client.query_metrics(QUERY)), both)


HEALTH = model.ServiceHealthMetrics(
    service="checkout",
    request_rate=12.5,
    error_rate=None,
    request_count=2**60,
    error_count=0,
    p50_latency=0.038,
    p95_latency=float("inf"),
    p99_latency=None,
    source="spans:http.server.request.duration",
    last_seen=1_700_000_000_000_000_001,
)
INFO = model.MetricInfo("m", model.MetricKind.SUMMARY, "s", "what", None, 3)
REJECTION = model.Rejection(1_700_000_000_000_000_001, "s", "m", "no value", 2)
EXEMPLARS = [
    model.SeriesExemplar(fake_storage.SERIES_INFO, exemplar)
    for exemplar in (
        model.Exemplar(1.0, 1_700_000_000_000_000_001, bytes(range(16)), b"\xff" * 8, {"k": 1.0}),
        model.Exemplar(2**63 - 1, 2),
        model.Exemplar(float("-inf"), 2),
    )
]


def test_every_other_answer(client: HttpStorage, storage: FakeStorage) -> None:
    storage.answers.update(
        get_service_health=HEALTH,
        metrics=[INFO, dataclasses.replace(INFO, temporality="delta")],
        series=[fake_storage.SERIES_INFO],
        exemplars=EXEMPLARS,
        rejections=[REJECTION],
    )
    assert_same(client.get_service_health("checkout"), HEALTH)
    assert_same(client.health(), [HEALTH, HEALTH])
    assert client.services() == ["checkout", "mailer"]
    assert_same(client.metrics(), storage.answers["metrics"])
    assert_same(client.series(QUERY), [fake_storage.SERIES_INFO])
    assert_same(client.exemplars(QUERY), EXEMPLARS)
    assert_same(client.rejections(), [REJECTION])
    assert_same(client.stats(), fake_storage.STATS)


def test_an_unknown_service_is_none(client: HttpStorage, storage: FakeStorage) -> None:
    """SEMANTICS, health: "An unknown service: None"."""
    assert client.get_service_health("nobody") is None
    known = {"checkout": HEALTH}
    storage.answers["get_service_health"] = known.get
    assert client.health() == [HEALTH]


def test_health_arguments(client: HttpStorage, storage: FakeStorage) -> None:
    moment = datetime(2023, 11, 14, 23, 13, 20, 1, tzinfo=timezone(timedelta(hours=1)))
    client.get_service_health("a/b ü&c", window="1h", at=moment)
    client.get_service_health("x", window=300_000_000_000, at=1_700_000_000_000_000_001)
    client.get_service_health("", at="-1h")
    assert [arguments for _, arguments in storage.calls] == [
        ("a/b ü&c", "1h", 1_700_000_000_000_001_000),
        ("x", 300_000_000_000, 1_700_000_000_000_000_001),
        ("", "5m", "-1h"),
    ]


def test_metrics_of_one_service(client: HttpStorage, storage: FakeStorage) -> None:
    client.metrics("shop/mailer")
    assert storage.calls == [("metrics", ("shop/mailer",))]


@pytest.mark.parametrize(
    "query",
    [
        QUERY,
        model.MetricQuery(
            metric="http.server.request.duration",
            service="shop/checkout",
            where={
                **fake_storage.NUMBERS.attributes,
                "nan-free": -0.0,
                "pattern": re.compile("5..|ü+", re.IGNORECASE | re.DOTALL),
                "absent": None,
                "deep": [{"a": [1, "1", 1.0, True, None]}],
            },
            start=1_700_000_000_000_000_001,
            end="now",
            step=10_000_000_001,
            aggregation=model.Aggregation.P95,
            by=("http.route", "code"),
            limit=3,
            quantile=0.999,
        ),
        model.MetricQuery(metric="m", by=(), start="-5m", step="10s"),
        model.MetricQuery(
            metric="m",
            start=datetime(2024, 1, 1, tzinfo=UTC),
            end=datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        ),
    ],
)
def test_queries_arrive_as_they_were_asked(
    client: HttpStorage, storage: FakeStorage, query: model.MetricQuery
) -> None:
    client.query_metrics(query)
    client.series(query)
    client.exemplars(query)
    expected = dataclasses.replace(
        query, by=None if query.by is None else list(query.by), where=dict(query.where)
    )
    if isinstance(query.start, datetime):
        expected = dataclasses.replace(expected, start=1_704_067_200 * 10**9, end=-1000)
    for (_, (found,)), name in zip(
        storage.calls, ["query_metrics", "series", "exemplars"], strict=True
    ):
        assert_same(found, expected), name


def test_ingestion_in_all_forms(client: HttpStorage, storage: FakeStorage) -> None:
    storage.answers["ingest"] = model.IngestResult(2**53 + 1, 2, "2 points: no value")
    assert client.ingest(memoryview(gauge_request())) == storage.answers["ingest"]
    del storage.answers["ingest"]
    assert client.ingest_json(json.dumps(GAUGE_JSON)) == model.IngestResult(1, 0)
    assert client.ingest_message(storage.messages[0]) == model.IngestResult(1, 0)
    point = model.MetricPoint("s", "m", model.Gauge(1), timestamp=1)
    assert client.store_metric(point) == model.IngestResult(1, 0)
    assert client.ingest(b"") == model.IngestResult(0, 0)
    assert storage.metric_names == ["queue.depth"] * 3 + ["m"]
    client.flush()
    assert storage.calls[-1] == ("flush", ())


@pytest.mark.parametrize(
    "error",
    [
        errors.QueryError("no step"),
        errors.ConfigError("odd window"),
        errors.StoreClosedError("closed"),
        errors.CorruptionError("bits"),
        errors.UrpoStoreError("else"),
    ],
)
def test_errors_of_the_storage_are_raised_again(
    client: HttpStorage, storage: FakeStorage, error: errors.UrpoStoreError
) -> None:
    storage.errors["query_metrics"] = error
    with pytest.raises(errors.UrpoStoreError, match=str(error)) as caught:
        client.query_metrics(QUERY)
    assert type(caught.value) is type(error)


def test_undecodable_requests(client: HttpStorage, storage: FakeStorage) -> None:
    with pytest.raises(errors.DecodeError, match="not OTLP"):
        client.ingest(b"\xff")
    with pytest.raises(errors.DecodeError, match="not JSON"):
        client.ingest_json("{")


def test_bugs_of_the_server_do_not_show_their_text(
    client: HttpStorage, storage: FakeStorage, caplog: pytest.LogCaptureFixture
) -> None:
    storage.errors["stats"] = ZeroDivisionError("secret")
    with pytest.raises(errors.UrpoStoreError, match="log of the server") as caught:
        client.stats()
    assert "secret" not in str(caught.value)


def test_answers_have_a_size_limit(client: HttpStorage, storage: FakeStorage) -> None:
    """SEMANTICS, HTTP API: "Per query a byte and a time limit"."""
    storage.answers["query_metrics"] = [fake_storage.NUMBERS] * 1000
    with pytest.raises(errors.QueryError, match="longer than 200000 bytes"):
        client.query_metrics(QUERY)


def test_connections_are_kept_and_shared_by_threads(
    client: HttpStorage, storage: FakeStorage, running: tuple[FakeStorage, Server]
) -> None:
    client.stats()
    (connection,) = client._transport._idle
    client.stats()
    assert client._transport._idle == [connection]
    barrier = threading.Barrier(4)
    storage.before = lambda name: barrier.wait(10) and None
    threads = [threading.Thread(target=client.stats) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(client._transport._idle) == 4


def test_a_connection_that_the_server_closed_is_replaced(
    client: HttpStorage, storage: FakeStorage
) -> None:
    client.stats()
    (connection,) = client._transport._idle
    assert connection.sock is not None
    connection.sock.shutdown(socket.SHUT_RDWR)
    assert client.stats() == fake_storage.STATS


def test_after_close(client: HttpStorage) -> None:
    client.close()
    client.close()
    with pytest.raises(errors.StoreClosedError, match="closed"):
        client.stats()


def test_the_token() -> None:
    storage = FakeStorage()
    with Server(storage, grpc_port=None, http_port=0, token="geheim-ü") as server:
        with HttpStorage(server.url, token="geheim-ü") as client:
            assert client.services() == ["checkout", "mailer"]
        with (
            HttpStorage(server.url) as client,
            pytest.raises(errors.ConfigError, match="URPO_STORE_AUTH_TOKEN"),
        ):
            client.services()
    with pytest.raises(errors.ConfigError, match="token"):
        HttpStorage("http://h", token="a\nb")


def test_what_came_to_the_receiver(running: tuple[FakeStorage, Server]) -> None:
    with HttpStorage(running[1].url) as client:
        before = client.receiver()
        client.ingest(gauge_request())
        after = client.receiver()
    assert after.http == running[1].http_address and after.started == running[1].status().started
    assert after.requests["http metrics"] == before.requests.get("http metrics", 0) + 1
