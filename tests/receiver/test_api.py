"""The HTTP API as someone with curl meets it; tests/api/test_client.py covers the round trip."""

import threading

import pytest
from helpers import fake_storage
from helpers.fake_storage import FakeStorage
from helpers.requests import GAUGE_JSON, gauge_request
from starlette.testclient import TestClient

from urpo_store.errors import StoreClosedError
from urpo_store.model import Aggregation
from urpo_store.receiver import Limits, asgi_app

API = "/api/urpo/v1"
JSON = {"content-type": "application/json"}


@pytest.fixture
def storage() -> FakeStorage:
    return FakeStorage()


@pytest.fixture
def client(storage: FakeStorage) -> TestClient:
    return TestClient(asgi_app(storage), base_url="http://localhost")


def test_a_query_by_get(client: TestClient, storage: FakeStorage) -> None:
    storage.answers["query_metrics"] = [fake_storage.HISTOGRAM]
    answer = client.get(
        f"{API}/query",
        params={
            "metric": "m",
            "service": "shop/cart",
            "start": "-5m",
            "end": "1700000000000000001",
            "step": "10s",
            "aggregation": "p95",
            "by": ["http.route", "code"],
            "where": '{"code": {"intValue": "500"}, "host": null}',
            "limit": "3",
            "quantile": "0.5",
        },
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["series"][0]["metric"] == "latency"
    assert answer.headers["cache-control"] == "no-store"
    ((_, (query,)),) = storage.calls
    assert query.service == "shop/cart" and query.aggregation is Aggregation.P95
    assert query.by == ["http.route", "code"] and query.where == {"code": 500, "host": None}
    assert (query.end, query.step, query.limit, query.quantile) == (
        1_700_000_000_000_000_001,
        "10s",
        3,
        0.5,
    )


def test_by_is_absent_empty_or_a_list(client: TestClient, storage: FakeStorage) -> None:
    for parameters in ("metric=m", "metric=m&by=", "metric=m&by=a"):
        client.get(f"{API}/query?{parameters}")
    assert [arguments[0].by for _, arguments in storage.calls] == [None, [], ["a"]]


@pytest.mark.parametrize("path", ["query", "series", "exemplars"])
@pytest.mark.parametrize(
    "parameters",
    ["", "metric=m&where=x", "metric=m&where=[]", "metric=m&quantile=x", "metric=m&limit=x",
     "metric=m&color=red"],
)  # fmt: skip
def test_wrong_queries_are_400(client: TestClient, path: str, parameters: str) -> None:
    answer = client.get(f"{API}/{path}?{parameters}")
    assert answer.status_code == 400
    tree = answer.json()
    assert tree["error"] == "QueryError" and tree["message"] and tree["code"] == 3


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b"\xff", b'{"metric": NaN}'])
def test_wrong_bodies_are_400(client: TestClient, body: bytes) -> None:
    answer = client.post(f"{API}/query", content=body, headers=JSON)
    assert answer.status_code == 400 and answer.json()["error"] == "QueryError"


def test_deep_conditions_are_400(client: TestClient) -> None:
    value = b'{"arrayValue":{"values":[' * 5000 + b"{}" + b"]}}" * 5000
    body = b'{"metric":"m","where":{"k":' + value + b"}}"
    answer = client.post(f"{API}/query", content=body, headers=JSON)
    assert answer.status_code == 400


def test_patterns_that_take_for_ever_are_400(client: TestClient, storage: FakeStorage) -> None:
    """SEMANTICS, HTTP API: "no query takes the store down"."""
    for path in ("query", "series", "exemplars"):
        tree = {"metric": "m", "where": {"k": {"regex": "(a+)+b"}}}
        answer = client.post(f"{API}/{path}", json=tree)
        assert answer.status_code == 400 and "repeats too much" in answer.json()["message"]
    assert not storage.calls


def test_posts_must_be_json(client: TestClient, storage: FakeStorage) -> None:
    """A form on any page can post text/plain across origins, and nothing but a few such types."""
    for path in ("query", "flush"):
        answer = client.post(f"{API}/{path}", content=b"{}", headers={"content-type": "text/plain"})
        assert answer.status_code == 415
    assert not storage.calls


def test_methods_and_paths(client: TestClient) -> None:
    answer = client.get(f"{API}/flush")
    assert answer.status_code == 405 and answer.headers["allow"] == "POST"
    assert client.post(f"{API}/stats", json={}).status_code == 405
    answer = client.get(f"{API}/nothing")
    assert answer.status_code == 404 and "nothing" in answer.json()["message"]


def test_health_lists_all_services_or_one(client: TestClient, storage: FakeStorage) -> None:
    assert client.get(f"{API}/health").json() == []
    assert client.get(f"{API}/health?service=x&window=1h").json() is None
    assert storage.calls[-1] == ("get_service_health", ("x", "1h", None))
    answer = client.get(f"{API}/health?sevrice=x")
    assert answer.status_code == 400 and "'sevrice'" in answer.json()["message"]


def test_ingest_counts_what_was_accepted(client: TestClient) -> None:
    headers = {"content-type": "application/x-protobuf"}
    answer = client.post(f"{API}/ingest", content=gauge_request(), headers=headers)
    assert answer.json() == {"accepted": 1, "rejected": 0, "message": ""}
    assert client.post(f"{API}/ingest", json=GAUGE_JSON).json()["accepted"] == 1
    answer = client.post(f"{API}/ingest", content=b"\xff", headers=headers)
    assert answer.status_code == 400 and answer.json()["error"] == "DecodeError"
    answer = client.post(f"{API}/ingest", content=b"", headers={"content-type": "text/plain"})
    assert answer.status_code == 415


def test_ready_and_healthy(client: TestClient, storage: FakeStorage) -> None:
    assert client.get("/-/ready").text == "ready\n"
    assert client.get("/-/healthy").text == "ok\n"
    storage.errors["stats"] = StoreClosedError("closed")
    answer = client.get("/-/ready")
    assert answer.status_code == 503 and answer.headers["retry-after"] == "1"
    assert client.get("/-/healthy").status_code == 200


def test_slow_questions_are_given_up(storage: FakeStorage) -> None:
    """SEMANTICS, HTTP API: "a time limit, so that no query takes the store down"."""
    go_on = threading.Event()
    storage.before = lambda name: None if name != "query_metrics" else go_on.wait(20) and None
    limits = Limits(query_seconds=0.05, queries=1)
    app = asgi_app(storage, limits=limits)
    with TestClient(app, base_url="http://localhost") as client:
        answer = client.get(f"{API}/query?metric=m")
        assert answer.status_code == 504
        assert "longer than 0.05 s" in answer.json()["message"]
        # The abandoned thread holds the only place, so that the next question waits in vain ...
        assert client.get(f"{API}/services").status_code == 504
        # ... while ingestion goes on.
        assert client.post("/v1/metrics", json=GAUGE_JSON).status_code == 200
        go_on.set()
        for _ in range(100):
            answer = client.get(f"{API}/services")
            if answer.status_code == 200:
                break
        assert answer.json() == ["checkout", "mailer"]


def test_too_many_questions_are_told_to_come_back(storage: FakeStorage) -> None:
    entered = threading.Semaphore(0)
    go_on = threading.Event()

    def block(name: str) -> None:
        entered.release()
        go_on.wait(20)

    storage.before = block
    app = asgi_app(storage, limits=Limits(queries=1))
    statuses: list[int] = []
    with TestClient(app, base_url="http://localhost") as client:

        def ask() -> None:
            statuses.append(client.get(f"{API}/services").status_code)

        threads = [threading.Thread(target=ask) for _ in range(17 + 3)]
        for thread in threads:
            thread.start()
        assert entered.acquire(timeout=10)
        while len(statuses) < 3:
            threads[0].join(0.01)
        go_on.set()
        for thread in threads:
            thread.join()
    assert sorted(statuses) == [200] * 17 + [503] * 3


def test_without_the_api_there_is_otlp_alone(storage: FakeStorage) -> None:
    client = TestClient(asgi_app(storage, api=False), base_url="http://localhost")
    assert client.get(f"{API}/stats").status_code == 404
    assert client.post("/v1/metrics", json=GAUGE_JSON).status_code == 200
