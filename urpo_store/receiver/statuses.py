"""From an exception to the status that answers it: one table for gRPC, OTLP over HTTP and the HTTP API.

A status says "try again" only where trying again can help. Senders drop what is refused for good,
and must not send broken bytes for ever.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

from .. import errors
from ..api.scalars import JsonError
from ..errors import ConfigError, DecodeError, QueryError, StoreClosedError, UrpoStoreError
from ..otlp.responses import Code, Status
from .budget import OverBudgetError

logger = logging.getLogger("urpo_store.receiver")

#: Seconds after which a client may try again when the store cannot serve it now.
RETRY_AFTER = 1.0


class _Told(NamedTuple):
    """A code, and a text where the exception's own text must not be sent or says too little."""

    code: Code
    text: str | None = None


class _Rule(NamedTuple):
    kinds: type[BaseException] | tuple[type[BaseException], ...]
    exporter: _Told
    asker: _Told


_BUSY, _WRONG, _BROKEN = Code.UNAVAILABLE, Code.INVALID_ARGUMENT, Code.INTERNAL
_LOG = "Internal error; the log of the {} says more."

#: The first rule that fits counts. An exporter is at fault only if its bytes are wrong.
_RULES = (
    _Rule(OverBudgetError, _Told(_BUSY), _Told(_BUSY)),
    _Rule(StoreClosedError, _Told(_BUSY, "The store is closed."), _Told(_BUSY)),
    _Rule(
        MemoryError,
        _Told(_BUSY, "The store is out of memory."),
        _Told(_BUSY, "The server is out of memory."),
    ),
    _Rule(DecodeError, _Told(_WRONG), _Told(_WRONG)),
    _Rule((QueryError, ConfigError, JsonError), _Told(_BROKEN), _Told(_WRONG)),
    _Rule(UrpoStoreError, _Told(_BROKEN), _Told(_BROKEN)),
    _Rule(
        RecursionError,
        _Told(_BROKEN, _LOG.format("receiver")),
        _Told(_WRONG, "The JSON is nested too deeply."),
    ),
    # Everything else is a bug.
    _Rule(
        Exception,
        _Told(_BROKEN, _LOG.format("receiver")),
        _Told(_BROKEN, _LOG.format("server")),
    ),
)


def export_status(error: Exception) -> Status:
    """The status that refuses an export request."""
    return _status(_rule(error).exporter, error, "an export request failed")


def answer_status(error: Exception) -> Status:
    """The status that answers a call of the HTTP API."""
    return _status(_rule(error).asker, error, "a question failed")


def public_name(error: Exception) -> str:
    """The name of the public error that a client raises again for `error`."""
    if isinstance(error, RecursionError):
        return QueryError.__name__
    names = (kind.__name__ for kind in type(error).__mro__ if kind.__module__ == errors.__name__)
    return next(names, UrpoStoreError.__name__)


def _rule(error: Exception) -> _Rule:
    return next(rule for rule in _RULES if isinstance(error, rule.kinds))


def _status(told: _Told, error: Exception, what_failed: str) -> Status:
    if told.code is _BROKEN and not isinstance(error, UrpoStoreError):
        logger.error(what_failed, exc_info=error)
    retry_after = RETRY_AFTER if told.code is _BUSY else None
    return Status(told.code, str(error) if told.text is None else told.text, retry_after)
