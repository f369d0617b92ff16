"""Which body is given up when all together are more than the budget."""

import asyncio
import gzip
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from google.rpc.status_pb2 import Status
from helpers.fake_storage import FakeStorage
from helpers.requests import gauge_request
from starlette.testclient import TestClient

from urpo_store.receiver import Arrivals, Limits, asgi_app, otlp_http
from urpo_store.receiver.budget import Budget, OverBudgetError, Share


@pytest.fixture
def shares():
    """Makes shares of a budget of 100 bytes, which arrive or have arrived."""
    budget, lost = Budget(100), []
    with ExitStack() as stack:

        def share(size: int, arriving: bool = True) -> Share:
            made = stack.enter_context(budget.share())
            budget.arrives(made, lambda: lost.append(made))
            budget.take(made, size)
            if not arriving:
                budget.has_arrived(made)
            return made

        yield budget, lost, share


def test_all_that_fits_stays(shares):
    budget, lost, share = shares
    share(60)
    budget.take(share(0), 40)
    assert not lost


def test_the_largest_that_arrives_goes_and_learns_of_it(shares):
    budget, lost, share = shares
    small, large, _ = share(20), share(50), share(30)
    budget.take(small, 1)
    assert lost == [large]
    for late in (lambda: budget.take(large, 1), lambda: budget.has_arrived(large)):
        with pytest.raises(OverBudgetError):
            late()
    budget.take(small, 49)  # The bytes of the other are free at once.
    assert lost == [large]


def test_the_one_that_asks_goes_when_it_is_the_largest(shares):
    budget, lost, share = shares
    share(40)
    large = share(41)
    with pytest.raises(OverBudgetError):
        budget.take(large, 20)
    share(60)
    assert not lost, "it knows already"


def test_as_many_go_as_it_takes(shares):
    budget, lost, share = shares
    share(10)
    large = {share(30), share(29), share(31)}
    budget.take(share(0), 28)
    assert set(lost) < large and len(lost) == 1
    share(29)
    assert set(lost) < large and len(lost) == 2


def test_what_has_arrived_stays(shares):
    _, lost, share = shares
    share(90, arriving=False)
    with pytest.raises(OverBudgetError):
        share(11)
    share(10)
    assert not lost


def test_what_is_dealt_with_leaves_its_room():
    budget = Budget(100)
    for _ in range(3):
        with budget.share() as share:
            budget.take(share, 100)
    with budget.share() as share, pytest.raises(OverBudgetError):
        budget.take(share, 101)
    with budget.share() as share:
        budget.take(share, 100)


PROTOBUF = {"content-type": "application/x-protobuf"}
GZIP = {**PROTOBUF, "content-encoding": "gzip"}


def test_bodies_count_as_they_came_and_decompressed_until_they_are_answered():
    storage, entered, finish = FakeStorage(), threading.Event(), threading.Event()

    def hold(name: str) -> None:
        storage.before = lambda name: None
        entered.set()
        assert finish.wait(10)

    storage.before = hold
    limits = Limits(request_bytes=400_000, bodies_bytes=1)  # at least two of the largest fit
    held = gzip.compress(gauge_request(filler=390_000), 0)
    small = gzip.compress(gauge_request(filler=30_000))
    arrivals = Arrivals()
    with TestClient(asgi_app(storage, insecure=True, limits=limits, arrivals=arrivals)) as client:

        def post(body: bytes, headers: dict[str, str] = GZIP):
            return client.post("/v1/metrics", content=body, headers=headers)

        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(post, held)
            assert entered.wait(10)
            assert post(gauge_request(filler=10_000), PROTOBUF).status_code == 200
            answer = post(small)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            assert Status.FromString(answer.content).code == 14
            assert "connection" not in answer.headers, "all of it was read"
            assert arrivals.status().refused == {"http 503": 1}
            finish.set()
            assert first.result(10).status_code == 200
        assert post(small).status_code == 200


def test_a_refused_body_is_gone_before_its_answer_is_taken(monkeypatch):
    """A client that takes no answers would otherwise keep what nobody counts any more."""
    sizes = []
    kept = []
    run = otlp_http.run_in_threadpool

    def slow_to_forget(work):
        kept.append(work)  # as its thread does until it has something else to do
        return run(work)

    monkeypatch.setattr(otlp_http, "run_in_threadpool", slow_to_forget)

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"\xff" * (16 << 20)}

    async def send(message: dict[str, object]) -> None:
        sizes.append(tracemalloc.get_traced_memory()[0])

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/metrics",
        "query_string": b"",
        "headers": [(b"content-type", b"application/x-protobuf")],
    }
    tracemalloc.start()
    try:
        asyncio.run(asgi_app(FakeStorage(), insecure=True)(scope, receive, send))
    finally:
        tracemalloc.stop()
    assert len(kept) == 1 and len(sizes) == 2 and max(sizes) < 8 << 20
