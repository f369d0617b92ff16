"""A running `serve` for the commands that talk to one."""

import pytest
from helpers.captured import captured
from helpers.served import serving

from urpo_store.api.client import HttpStorage


@pytest.fixture(scope="module")
def served():
    """A `serve` that has the captured requests of an SDK."""
    with serving() as (_, url, _):
        storage = HttpStorage(url)
        for request in captured(rounds=3):
            assert storage.ingest(request).rejected == 0
        yield url
