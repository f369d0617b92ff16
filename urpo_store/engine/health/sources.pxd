# What a metric means for the health of its service: the table of known request metrics.
#
# Decided once for each series, from name, unit, kind and attributes. Names match in their OTLP form
# (http.server.request.duration) and in their Prometheus form
# (http_server_request_duration_seconds), and so do attribute keys (span.kind, span_kind). Only what
# comes *in* counts: client, producer and internal calls have no meaning here. Pure functions; any
# thread; no allocation.
#
# The metrics are those of
#   the OpenTelemetry semantic conventions: http, rpc, messaging, faas, gen_ai, mcp
#   their predecessors, which Python still sends by default
#   Celery's flower, the Collector's spanmetrics connector, Tempo's metrics generator
from libc.stdint cimport uint8_t, uint32_t

cdef enum:
    # Each protocol has one source. SERVER: spans that do not tell their protocol.
    PROTOCOL_HTTP = 1
    PROTOCOL_RPC = 2
    PROTOCOL_MESSAGING = 3
    PROTOCOL_FAAS = 4
    PROTOCOL_GENAI = 5
    PROTOCOL_MCP = 6
    PROTOCOL_CELERY = 7
    PROTOCOL_SERVER = 8
    PROTOCOLS = 9

    # Meaning.preference: the lowest one of a protocol is used. Spans come after everything else.
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

# Finds the canonical bytes (identity/values.pxd) of an attribute. NULL: absent.
ctypedef const uint8_t *(*attribute_fn)(void *context, const char *key,
                                        uint32_t *length) noexcept nogil

# What is asked about a series. kind and monotonic as points/slots.pxd.
cdef struct Described:
    const uint8_t *name
    size_t name_length
    const uint8_t *unit
    size_t unit_length
    uint32_t kind
    uint32_t monotonic
    attribute_fn attribute
    void *context               # of `attribute`

# True and *meaning; or False: the series says nothing about requests.
cdef bint health_meaning(const Described *series, Meaning *meaning) noexcept nogil
