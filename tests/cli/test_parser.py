"""Flags: what help says, and what the environment sets."""

import json

from helpers.served import run

from urpo_store import __version__


def test_version():
    assert run("--version").stdout == f"urpo-store {__version__}\n"


def test_help_has_examples():
    shown = run("--help").stdout
    assert "examples:" in shown
    for command in ("serve", "health", "query", "metrics", "stats", "demo", "doctor"):
        assert command in shown


def test_flags_come_from_the_environment():
    done = run("health", URPO_STORE_URL="http://127.0.0.1:1")
    assert done.returncode == 1
    assert "127.0.0.1:1" in done.stderr


def test_list_flags_come_from_the_environment(served):
    done = run(
        *("query", "captured.counter", "--url", served, "--start", "0", "--json"),
        URPO_STORE_WHERE="k:int=1,service.name=captured",
    )
    assert len(json.loads(done.stdout)) == 1, done.stderr
