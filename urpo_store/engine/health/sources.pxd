# What a metric means for the health of its service: the table of known request metrics.
#
# Decided from name, unit, kind, temporality and attributes, once per series. Names match in their OTLP
# form (http.server.request.duration) and in their Prometheus form (http_server_request_duration_seconds);
# attribute keys alike (span.kind, span_kind). Only what comes *in* counts: client, producer and internal
# calls have no meaning here. Pure functions; any thread; no allocation.
#
# Sources: OpenTelemetry semantic conventions (http, rpc, messaging, faas, gen_ai, mcp), their predecessors
# which Python still sends by default, Celery's flower metrics, the Collector's spanmetrics connector and
# Tempo's metrics generator.
from libc.stdint cimport uint8_t, uint32_t

cdef enum:
    # One protocol has one source. SERVER: spans that do not tell their protocol.
    PROTOCOL_HTTP = 1
    PROTOCOL_RPC = 2
    PROTOCOL_MESSAGING = 3
    PROTOCOL_FAAS = 4
    PROTOCOL_GENAI = 5
    PROTOCOL_MCP = 6
    PROTOCOL_CELERY = 7
    PROTOCOL_SERVER = 8
    PROTOCOLS = 9

    # Meaning.preference: the lowest one of a protocol is used. Spans are behind everything else.
    PREFER_STABLE = 0
    PREFER_OLD = 100
    PREFER_SPANS = 200

    ROLE_REQUESTS = 1           # counts requests; a histogram times them too
    ROLE_ERRORS = 2             # counts errors only (faas.errors)

cdef struct Meaning:
    uint32_t protocol           # PROTOCOL_*
    uint32_t preference
    uint32_t role               # ROLE_*
    uint32_t is_error           # what this series counts are errors
    uint32_t can_fail           # the family of this metric can carry errors at all
    # Seconds are value * multiplier / divisor; multiplier 0: the unit is not a known time.
    double multiplier
    double divisor

# Finds the canonical bytes (identity/values.pxd) of an attribute; NULL: absent.
ctypedef const uint8_t *(*attribute_fn)(void *context, const char *key, uint32_t *length) noexcept nogil

# 1 and *meaning, or 0: the series says nothing about requests. kind, temporality as points/slots.pxd.
cdef bint health_meaning(const uint8_t *name, size_t name_length, const uint8_t *unit, size_t unit_length, uint32_t kind, uint32_t temporality, uint32_t monotonic, attribute_fn attribute, void *context, Meaning *meaning) noexcept nogil
