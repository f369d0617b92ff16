"""What becomes of an export request, whatever brought it; gRPC and HTTP only translate this."""

from __future__ import annotations

import logging

from ..errors import DecodeError, StoreClosedError, UrpoStoreError
from ..interfaces import MetricStorage
from ..otlp import request_from_json
from ..otlp.responses import Code, ExportResponse, Status

logger = logging.getLogger("urpo_store.receiver")

#: Seconds after which a sender may try again when the store cannot take anything now.
RETRY_AFTER = 1.0


def export_metrics(
    storage: MetricStorage, body: bytes, is_json: bool = False
) -> ExportResponse | Status:
    """Store a request; the answer is a response, or the status that refuses it."""
    try:
        result = storage.ingest(request_from_json(body) if is_json else body)
    except Exception as error:
        return refusal(error)
    return ExportResponse(result.rejected, result.message)


def refusal(error: Exception) -> Status:
    """The status that says why a request failed.

    Retryable only where trying again can help: senders drop what is refused for good, and must not
    send broken bytes for ever.
    """
    if isinstance(error, DecodeError):
        return Status(Code.INVALID_ARGUMENT, str(error))
    if isinstance(error, StoreClosedError):
        return Status(Code.UNAVAILABLE, "The store is closed.", RETRY_AFTER)
    if isinstance(error, MemoryError):
        return Status(Code.UNAVAILABLE, "The store is out of memory.", RETRY_AFTER)
    if isinstance(error, UrpoStoreError):
        return Status(Code.INTERNAL, str(error))
    logger.error("an export request failed", exc_info=error)
    return Status(Code.INTERNAL, "Internal error; the log of the receiver says more.")
