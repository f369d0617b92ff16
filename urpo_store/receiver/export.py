"""What happens to an export request; gRPC and HTTP only translate it."""

from __future__ import annotations

from ..interfaces import MetricStorage
from ..otlp import request_from_json
from ..otlp.responses import ExportResponse, Status
from .statuses import export_status


def export_metrics(
    storage: MetricStorage, body: bytes, is_json: bool = False
) -> ExportResponse | Status:
    """Store a request; the answer is a response, or the status that refuses it."""
    try:
        result = storage.ingest(request_from_json(body) if is_json else body)
    except Exception as error:
        return export_status(error)
    return ExportResponse(result.rejected, result.message)
