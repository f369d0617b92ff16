"""Refusals over HTTP. The body of each is a `google.rpc.Status`, as OTLP wants for every 4xx and 5xx.

It is protobuf if the request was OTLP protobuf, else JSON: {"code": 3, "message": "..."}. The HTTP API
adds the name of the error that a client raises again: "error": "QueryError".
"""

from __future__ import annotations

import json

from starlette.requests import Request
from starlette.responses import Response

from ..otlp.responses import Code, Status
from .statuses import answer_status, public_name

PROTOBUF = ("application/x-protobuf", "application/protobuf")
JSON = "application/json"
API_PATH = "/api/urpo/v1/"

HTTP_STATUS = {
    Code.INVALID_ARGUMENT: 400,
    Code.UNAUTHENTICATED: 401,
    Code.PERMISSION_DENIED: 403,
    Code.NOT_FOUND: 404,
    Code.RESOURCE_EXHAUSTED: 413,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.DEADLINE_EXCEEDED: 504,
}


class Refused(Exception):
    """An error as an HTTP answer. Any function below a handler may raise it."""

    def __init__(
        self,
        status: Status,
        http_status: int | None = None,
        error: str = "UrpoStoreError",
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(status.message)
        self.status = status
        self.http_status = http_status or HTTP_STATUS[status.code]
        self.error = error
        self.headers = headers or {}

    @classmethod
    def because(cls, cause: Exception) -> Refused:
        """The refusal of a call of the HTTP API that ended with `cause`."""
        return cls(answer_status(cause), error=public_name(cause))


def media_type(request: Request) -> str:
    """The media type without its parameters ("application/json; charset=utf-8" is legal)."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def error_response(request: Request, refused: Refused) -> Response:
    headers = dict(refused.headers)
    if refused.status.retry_after is not None:
        headers["Retry-After"] = str(round(refused.status.retry_after))
    kind = media_type(request)
    if API_PATH in request.url.path:
        tree = {**json.loads(refused.status.to_json()), "error": refused.error}
        body, kind = json.dumps(tree).encode(), JSON
    elif kind in PROTOBUF:
        body = refused.status.to_bytes()
    else:
        body, kind = refused.status.to_json(), JSON
    return Response(body, refused.http_status, headers, kind)
