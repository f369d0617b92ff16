"""Who may speak to the HTTP port."""

import pytest
from google.rpc.status_pb2 import Status
from helpers.fake_storage import FakeStorage
from helpers.requests import gauge_request
from starlette.applications import Starlette
from starlette.testclient import TestClient

from urpo_store.receiver import asgi_app
from urpo_store.receiver.guard import is_loopback

PROTOBUF = {"content-type": "application/x-protobuf"}
STATS = "/api/urpo/v1/stats"


def client_of(host: str = "127.0.0.1:4318", **options: object) -> TestClient:
    app = asgi_app(FakeStorage(), **options)
    return TestClient(app, base_url=f"http://{host}")


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:4318", "localhost", "LOCALHOST:1", "[::1]:4318", "127.8.9.1", "app.localhost:80"],
)
def test_loopback_hosts_are_answered_without_a_token(host: str) -> None:
    client = client_of()
    assert client.get(STATS, headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:4318", "127.0.0.1.evil.example", "localhost.evil.example", "",
     "192.168.1.5:4318", "[2001:db8::1]:4318", "0.0.0.0", "127.0.0.1@evil.example", "[::1"],
)  # fmt: skip
def test_other_hosts_are_refused_without_a_token(host: str) -> None:
    """SEMANTICS, HTTP API: "requests whose Host is not loopback are refused (DNS rebinding)"."""
    client = client_of()
    if host != "[::1":
        assert client.get(STATS, headers={"host": host}).status_code == 403
        answer = client.post(
            "/v1/metrics", content=gauge_request(), headers={**PROTOBUF, "host": host}
        )
        assert answer.status_code == 403 and Status.FromString(answer.content).code == 7
    assert not is_loopback(host)


def test_with_a_token_any_host_is_answered() -> None:
    client = client_of("metrics.example", token="geheim-ü")
    assert client.get(STATS).status_code == 401
    answer = client.get(STATS, headers={"authorization": "Bearer geheim-ü".encode()})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer wrong", "Bearer secret2", "Basic secret", "secret", "bearer  x"],
)
@pytest.mark.parametrize("path", [STATS, "/-/ready", "/-/healthy", "/nowhere"])
def test_the_token_guards_everything(header: str, path: str) -> None:
    """SEMANTICS, HTTP API: "The bearer token guards everything"."""
    answer = client_of(token="secret").get(path, headers={"authorization": header})
    assert answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer"


def test_the_token_on_otlp() -> None:
    client = client_of(token="secret")
    answer = client.post("/v1/metrics", content=gauge_request(), headers=PROTOBUF)
    assert answer.status_code == 401 and Status.FromString(answer.content).code == 16
    headers = {**PROTOBUF, "authorization": "bearer secret"}
    assert client.post("/v1/metrics", content=gauge_request(), headers=headers).status_code == 200


def test_insecure_answers_every_host() -> None:
    assert client_of("metrics.example", insecure=True).get(STATS).status_code == 200


PREFLIGHT = {
    "origin": "http://localhost:3000",
    "access-control-request-method": "POST",
    "access-control-request-headers": "content-type,authorization",
}


def test_cors_is_off() -> None:
    """SEMANTICS, HTTP API: "CORS is off except for origins named"."""
    client = client_of()
    assert client.options("/v1/metrics", headers=PREFLIGHT).status_code == 405
    answer = client.get(STATS, headers={"origin": "http://localhost:3000"})
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("token", [None, "secret"])
def test_cors_for_named_origins(token: str | None) -> None:
    client = client_of(token=token, cors_origins=["http://localhost:3000"])
    answer = client.options("/v1/metrics", headers=PREFLIGHT)
    assert answer.status_code == 200, "a preflight carries no token"
    assert answer.headers["access-control-allow-origin"] == "http://localhost:3000"
    other = client.options("/v1/metrics", headers={**PREFLIGHT, "origin": "http://evil.example"})
    assert "access-control-allow-origin" not in other.headers


def test_mounted_in_another_app() -> None:
    outer = Starlette()
    storage = FakeStorage()
    outer.mount("/telemetry", asgi_app(storage))
    client = TestClient(outer, base_url="http://localhost")
    answer = client.post("/telemetry/v1/metrics", content=gauge_request(), headers=PROTOBUF)
    assert answer.status_code == 200 and storage.metric_names == ["queue.depth"]
    assert client.get("/telemetry/api/urpo/v1/services").json() == ["checkout", "mailer"]
    assert client.get("/telemetry/api/urpo/v1/health?x=1").json()["error"] == "QueryError"
