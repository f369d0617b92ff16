"""The count of calls over gRPC, without gRPC."""

import threading
from collections.abc import Callable

import pytest

from urpo_store.receiver import Arrivals, Limits
from urpo_store.receiver.calls import Calls


class Context:
    """A call, as grpcio shows it: over as soon as it is cancelled."""

    def __init__(self) -> None:
        self.cancelled = threading.Event()

    def add_callback(self, callback: Callable[[], None]) -> bool:
        self._callback = callback
        return True

    def cancel(self) -> None:
        self._callback()
        self.cancelled.set()


def test_where_no_thread_can_be_started_the_next_call_tries_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A call is not refused for it, and those before are watched from then on too."""
    start = threading.Thread.start
    refused: list[threading.Thread] = []

    def refuse_once(thread: threading.Thread) -> None:
        if not refused:
            refused.append(thread)
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse_once)
    calls = Calls(Limits(body_seconds=0.05, answer_seconds=0.05), Arrivals())
    contexts = [Context(), Context()]
    assert calls.begin(contexts[0]) and refused
    assert calls.begin(contexts[1])
    for context in contexts:
        assert context.cancelled.wait(10)
