"""The answers of a receiver: export responses and `google.rpc.Status`, in protobuf and in JSON.

Bodies of successes stay tiny: some senders, such as the Collector's otlphttp exporter, treat a large
or unreadable one as a permanent failure.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import IntEnum
from math import ceil

from .wire import length_delimited, varint_field

#: The most bytes of an error message that are sent.
MAX_MESSAGE = 1024


class Code(IntEnum):
    """The canonical status codes that a receiver answers with (google/rpc/code.proto)."""

    OK = 0
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


#: For each signal the JSON name of the count in its partial success (field 1 in all three).
REJECTED_NAMES = {
    "metrics": "rejectedDataPoints",
    "traces": "rejectedSpans",
    "logs": "rejectedLogRecords",
}


def trim(message: str, limit: int = MAX_MESSAGE) -> str:
    """`message`, cut to at most `limit` bytes of UTF-8, never inside a character."""
    encoded = message.encode("utf-8", "replace")
    if len(encoded) <= limit:
        return encoded.decode()
    return encoded[: limit - 3].decode("utf-8", "ignore") + "..."


@dataclass(frozen=True, slots=True)
class ExportResponse:
    """An Export...ServiceResponse of any signal.

    Full success is the empty message: no bytes, `{}` in JSON. A message without rejected points
    is a warning about a request that was accepted in full.
    """

    rejected: int = 0
    message: str = ""
    signal: str = "metrics"

    def to_bytes(self) -> bytes:
        if not self.rejected and not self.message:
            return b""
        partial = varint_field(1, self.rejected)
        if self.message:
            partial += length_delimited(2, trim(self.message).encode())
        return length_delimited(1, partial)

    def to_json(self) -> bytes:
        partial: dict[str, str] = {}
        if self.rejected:
            partial[REJECTED_NAMES[self.signal]] = str(self.rejected)
        if self.message:
            partial["errorMessage"] = trim(self.message)
        return json.dumps({"partialSuccess": partial} if partial else {}).encode()


@dataclass(frozen=True, slots=True)
class Status:
    """A `google.rpc.Status`; with `retry_after` seconds it carries a `RetryInfo`."""

    code: Code
    message: str
    retry_after: float | None = None

    def retry_info(self) -> bytes:
        """The bytes of a `google.rpc.RetryInfo`; b"" if the sender need not retry."""
        if self.retry_after is None:
            return b""
        seconds = ceil(self.retry_after)  # whole seconds, as the Retry-After header has them
        return length_delimited(1, varint_field(1, seconds))

    def to_bytes(self) -> bytes:
        body = varint_field(1, self.code)
        if self.message:
            body += length_delimited(2, trim(self.message).encode())
        if self.retry_after is not None:
            detail = length_delimited(1, b"type.googleapis.com/google.rpc.RetryInfo")
            body += length_delimited(3, detail + length_delimited(2, self.retry_info()))
        return body

    def to_json(self) -> bytes:
        tree: dict[str, object] = {"code": int(self.code), "message": trim(self.message)}
        if self.retry_after is not None:
            tree["details"] = [
                {
                    "@type": "type.googleapis.com/google.rpc.RetryInfo",
                    "retryDelay": f"{ceil(self.retry_after)}s",
                }
            ]
        return json.dumps(tree).encode()
