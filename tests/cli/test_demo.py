"""The demo, as `make demo` runs it."""

import os
import subprocess
import sys
import time


def test_demo_ends_by_itself():
    """A short demo: three services, real exporters, a summary, exit code 0."""
    begin = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "urpo_store.cli", "demo", "--grpc-port", "0", "--http-port", "0"],
        capture_output=True,
        text=True,
        timeout=100,
        env=os.environ | {"DEMO_SECONDS": "6"},
    )
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - begin < 60
    for service in ("storefront", "checkout", "mailer"):
        assert service in done.stdout
    assert "http.server.request.duration" in done.stdout
    assert "came from 3 services; 0 were refused" in done.stdout
