"""A server in a process of its own, for tests that attack it."""

import pytest
from helpers.served import Served, serving


@pytest.fixture(scope="module")
def served():
    with serving() as (process, url, grpc_port):
        yield Served(process, url, grpc_port)
