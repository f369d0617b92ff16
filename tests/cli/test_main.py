"""Exit codes."""

import socket

import pytest
from helpers.served import run

from urpo_store.cli import main


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("nonsense",),
        ("query",),
        ("query", "m", "--agg", "middle"),
        ("query", "m", "--agg", "rate"),
        ("query", "m", "--start", "whenever"),
        ("query", "m", "--where", "nothing"),
        ("query", "m", "--limit", "0"),
        ("serve", "--http-port", "many"),
        ("serve", "--http-port", "70000"),
        ("serve", "--retention", "soon"),
        ("serve", "--host", "0.0.0.0"),
        ("serve", "--query-timeout", "soon"),
        ("serve", "--answer-limit", "0"),
        ("serve", "--tls-cert", "cert.pem"),
        ("health", "--watch", "0"),
    ],
)
def test_wrong_usage_is_2(arguments, monkeypatch, capsys):
    monkeypatch.setenv("URPO_STORE_URL", "http://127.0.0.1:1")
    try:
        code = main(arguments)
    except SystemExit as end:  # argparse
        code = end.code
    assert code == 2
    shown = capsys.readouterr()
    assert "urpo-store" in shown.err if arguments else "COMMAND" in shown.out


def test_wrong_usage_is_the_exit_code_of_the_process():
    done = run("query", "m", "--agg", "middle")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("urpo-store: --agg 'middle' is none of: raw last sum ")


def test_nobody_there_is_1_and_says_what_to_do():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        done = run("health", "--url", f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert done.returncode == 1
    assert "urpo-store: " in done.stderr
    assert "serve" in done.stderr


def test_main_returns_codes(capsys):
    assert main([]) == 2
    assert "COMMAND" in capsys.readouterr().out
