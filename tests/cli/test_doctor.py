"""The doctor: why a screen is empty, and what to set."""

from helpers.captured import captured
from helpers.served import run, serving

from urpo_store.api.client import HttpStorage


def test_doctor_says_what_to_set_until_something_comes():
    with serving() as (_, url, _):
        done = run("doctor", "--url", url)
        assert done.returncode == 1
        assert "Nothing has arrived." in done.stdout
        assert f"export OTEL_EXPORTER_OTLP_ENDPOINT={url}" in done.stdout
        bad = captured(rounds=1)[0].replace(b"captured.gauge", b"captured.gauze")
        HttpStorage(url).ingest(bad)
        done = run("doctor", "--url", url)
        assert done.returncode == 0
        assert "points of 5 metrics have arrived from 1 services" in done.stdout
        assert "its health is not known" in done.stdout
