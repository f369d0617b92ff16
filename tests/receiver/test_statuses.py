"""Which status answers which exception."""

from __future__ import annotations

import logging

import pytest

from urpo_store import errors
from urpo_store.api.json import AnswerTooLongError
from urpo_store.api.scalars import JsonError
from urpo_store.otlp.responses import Code, Status
from urpo_store.receiver.budget import OverBudgetError
from urpo_store.receiver.statuses import answer_status, export_status, public_name

BUSY, WRONG, BROKEN = Code.UNAVAILABLE, Code.INVALID_ARGUMENT, Code.INTERNAL
FULL = "Too many bytes of requests at a time."
RECEIVER_LOG = "Internal error; the log of the receiver says more."
SERVER_LOG = "Internal error; the log of the server says more."


@pytest.mark.parametrize(
    ("error", "exporter", "asker", "name"),
    [
        (OverBudgetError(), (BUSY, FULL), (BUSY, FULL), "UrpoStoreError"),
        (
            errors.StoreClosedError("open another"),
            (BUSY, "The store is closed."),
            (BUSY, "open another"),
            "StoreClosedError",
        ),
        (
            MemoryError(),
            (BUSY, "The store is out of memory."),
            (BUSY, "The server is out of memory."),
            "UrpoStoreError",
        ),
        (errors.DecodeError("odd"), (WRONG, "odd"), (WRONG, "odd"), "DecodeError"),
        (errors.QueryError("odd"), (BROKEN, "odd"), (WRONG, "odd"), "QueryError"),
        (errors.ConfigError("odd"), (BROKEN, "odd"), (WRONG, "odd"), "ConfigError"),
        (JsonError("odd"), (BROKEN, "odd"), (WRONG, "odd"), "UrpoStoreError"),
        (errors.CorruptionError("odd"), (BROKEN, "odd"), (BROKEN, "odd"), "CorruptionError"),
        (
            RecursionError(),
            (BROKEN, RECEIVER_LOG),
            (WRONG, "The JSON is nested too deeply."),
            "QueryError",
        ),
        (KeyError("secret"), (BROKEN, RECEIVER_LOG), (BROKEN, SERVER_LOG), "UrpoStoreError"),
    ],
    ids=repr,
)
def test_statuses(
    error: Exception, exporter: tuple[Code, str], asker: tuple[Code, str], name: str
) -> None:
    def status(code: Code, message: str) -> Status:
        return Status(code, message, 1.0 if code is BUSY else None)

    assert export_status(error) == status(*exporter)
    assert answer_status(error) == status(*asker)
    assert public_name(error) == name


def test_a_private_error_has_the_name_of_the_public_one() -> None:
    assert public_name(AnswerTooLongError(1)) == "QueryError"


def test_bugs_are_logged_and_errors_on_purpose_are_not(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        for error in (errors.UrpoStoreError("x"), MemoryError(), errors.QueryError("y")):
            export_status(error)
            answer_status(error)
        assert not caplog.records
        export_status(KeyError("secret"))
        answer_status(KeyError("secret"))
    assert [record.message for record in caplog.records] == [
        "an export request failed",
        "a question failed",
    ]
