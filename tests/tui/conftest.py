import gc
import time

import pytest
from helpers.terminal import filled_store


@pytest.fixture(autouse=True)
def utc(monkeypatch):
    """Axes show local time."""
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.delenv("URPO_STORE_ASCII", raising=False)
    monkeypatch.delenv("URPO_STORE_TRACE_URL", raising=False)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture(autouse=True, scope="module")
def collected():
    """Garbage after the tests of a module: an app leaves some, and looking for it takes long."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(scope="session")
def store():
    """Three services of the real SDK over ten minutes. Tests only read it."""
    with filled_store() as filled:
        yield filled
