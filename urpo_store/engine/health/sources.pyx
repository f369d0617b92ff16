"""The table of request metrics; the contract is in health/sources.pxd.

A name is first brought to its Prometheus spelling (dots to underscores, the suffixes `_total` and
that of the unit cut off), so that one row of the table finds every spelling.
"""
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcmp, memcpy, memmove, strlen

from urpo_store.engine.points.slots cimport KIND_EXPONENTIAL, KIND_HISTOGRAM, KIND_SUM

cdef enum:
    NAME_ROOM = 128             # longer names are not in the table
    TEXT_ROOM = 64

    # How a series of the row shows that it counts errors.
    RULE_NEVER = 0              # it cannot
    RULE_TYPE = 1               # error.type is there
    RULE_HTTP = 2               # the same, or http.response.status_code >= 500
    RULE_HTTP_OLD = 3           # http.status_code >= 500
    RULE_RPC = 4                # error.type is there, or a server's fault in
                                # rpc.(response.)status_code
    RULE_GRPC_OLD = 5           # a server's fault in rpc.grpc.status_code
    RULE_COUNTER = 6            # a counter of its own
    RULE_SPAN = 7               # the span's status

    SHAPE_TIMES = 1             # a histogram of either kind
    SHAPE_COUNTS = 2            # a monotonic sum

cdef struct Row:
    const char *name            # Prometheus spelling, without unit and _total
    uint32_t shape
    const char *unit            # what the convention fixes, for points that name no unit; ""
                                # nothing
    uint32_t protocol
    uint32_t preference
    uint32_t rule

cdef enum:
    ROWS = 10
    SPAN_ROWS = 10
    OTHER_SPANS = SPAN_ROWS - 1

cdef Row rows[ROWS]
cdef Row span_rows[SPAN_ROWS]

rows[0] = Row(b"http_server_request_duration", SHAPE_TIMES, b"s", PROTOCOL_HTTP, PREFER_STABLE,
              RULE_HTTP)
rows[1] = Row(b"http_server_duration", SHAPE_TIMES, b"ms", PROTOCOL_HTTP, PREFER_OLD, RULE_HTTP_OLD)
rows[2] = Row(b"rpc_server_call_duration", SHAPE_TIMES, b"s", PROTOCOL_RPC, PREFER_STABLE, RULE_RPC)
rows[3] = Row(b"rpc_server_duration", SHAPE_TIMES, b"ms", PROTOCOL_RPC, PREFER_OLD, RULE_GRPC_OLD)
rows[4] = Row(b"messaging_process_duration", SHAPE_TIMES, b"s", PROTOCOL_MESSAGING, PREFER_STABLE,
              RULE_TYPE)
rows[5] = Row(b"faas_invoke_duration", SHAPE_TIMES, b"s", PROTOCOL_FAAS, PREFER_STABLE,
              RULE_COUNTER)
rows[6] = Row(b"faas_errors", SHAPE_COUNTS, b"", PROTOCOL_FAAS, PREFER_STABLE, RULE_COUNTER)
rows[7] = Row(b"gen_ai_server_request_duration", SHAPE_TIMES, b"s", PROTOCOL_GENAI, PREFER_STABLE,
              RULE_TYPE)
rows[8] = Row(b"mcp_server_operation_duration", SHAPE_TIMES, b"s", PROTOCOL_MCP, PREFER_STABLE,
              RULE_TYPE)
rows[9] = Row(b"flower_task_runtime", SHAPE_TIMES, b"s", PROTOCOL_CELERY, PREFER_STABLE, RULE_NEVER)

# Span-derived metrics. The connector's unit is an option (ms or s), so none is assumed; Tempo's is
# fixed. Of the pair duration and calls the histogram is preferred: it counts the same spans, and
# times them.
span_rows[0] = Row(b"traces_span_metrics_duration", SHAPE_TIMES, b"", 0, PREFER_SPANS, RULE_SPAN)
span_rows[1] = Row(b"span_metrics_duration", SHAPE_TIMES, b"", 0, PREFER_SPANS + 1, RULE_SPAN)
span_rows[2] = Row(b"duration", SHAPE_TIMES, b"", 0, PREFER_SPANS + 2, RULE_SPAN)
span_rows[3] = Row(b"traces_spanmetrics_latency", SHAPE_TIMES, b"s", 0, PREFER_SPANS + 3, RULE_SPAN)
span_rows[4] = Row(b"latency", SHAPE_TIMES, b"", 0, PREFER_SPANS + 4, RULE_SPAN)
span_rows[5] = Row(b"traces_span_metrics_calls", SHAPE_COUNTS, b"", 0, PREFER_SPANS + 10, RULE_SPAN)
span_rows[6] = Row(b"span_metrics_calls", SHAPE_COUNTS, b"", 0, PREFER_SPANS + 11, RULE_SPAN)
span_rows[7] = Row(b"calls", SHAPE_COUNTS, b"", 0, PREFER_SPANS + 12, RULE_SPAN)
span_rows[8] = Row(b"traces_spanmetrics_calls", SHAPE_COUNTS, b"", 0, PREFER_SPANS + 13, RULE_SPAN)
# Any other namespace: the last component decides, and the span's name must be there too.
span_rows[OTHER_SPANS] = Row(b"", 0, b"", 0, PREFER_SPANS + 20, RULE_SPAN)


cdef struct Unit:
    const char *text
    double multiplier
    double divisor

cdef enum:
    UNITS = 20
    SUFFIXES = 5

cdef Unit units[UNITS]
cdef Unit suffixes[SUFFIXES]

# A divisor rather than 0.001: 5 ms / 1000 is the float64 next to 0.005, which is what a bound in s
# is.
units[0] = Unit(b"s", 1, 1)
units[1] = Unit(b"sec", 1, 1)
units[2] = Unit(b"second", 1, 1)
units[3] = Unit(b"seconds", 1, 1)
units[4] = Unit(b"ms", 1, 1e3)
units[5] = Unit(b"millisecond", 1, 1e3)
units[6] = Unit(b"milliseconds", 1, 1e3)
units[7] = Unit(b"us", 1, 1e6)
units[8] = Unit(b"\xc2\xb5s", 1, 1e6)         # micro sign
units[9] = Unit(b"\xce\xbcs", 1, 1e6)         # Greek mu
units[10] = Unit(b"microsecond", 1, 1e6)
units[11] = Unit(b"microseconds", 1, 1e6)
units[12] = Unit(b"ns", 1, 1e9)
units[13] = Unit(b"nanosecond", 1, 1e9)
units[14] = Unit(b"nanoseconds", 1, 1e9)
units[15] = Unit(b"min", 60, 1)
units[16] = Unit(b"minute", 60, 1)
units[17] = Unit(b"minutes", 60, 1)
units[18] = Unit(b"h", 3600, 1)
units[19] = Unit(b"hours", 3600, 1)
suffixes[0] = Unit(b"_milliseconds", 1, 1e3)
suffixes[1] = Unit(b"_microseconds", 1, 1e6)
suffixes[2] = Unit(b"_nanoseconds", 1, 1e9)
suffixes[3] = Unit(b"_seconds", 1, 1)
suffixes[4] = Unit(b"_minutes", 60, 1)


# ---- a series ------------------------------------------------------------------------------------

cdef bint health_meaning(const Described *series, Meaning *meaning) noexcept nogil:
    cdef Plain name
    cdef const Row *row
    cdef uint32_t protocol
    if not read_name(series, &name):
        return False
    row = find_row(rows, ROWS, &name)
    if row != NULL:
        protocol = row.protocol
    else:
        row = find_span_row(series, &name)
        protocol = span_protocol(series) if row != NULL else 0
    if protocol == 0:
        return False
    meaning.protocol = protocol
    meaning.preference = row.preference
    if row == &span_rows[OTHER_SPANS] and name.shape == SHAPE_COUNTS:
        meaning.preference += 1
    meaning.can_fail = row.rule != RULE_NEVER
    if row.rule == RULE_COUNTER and name.shape == SHAPE_COUNTS:
        meaning.role = ROLE_ERRORS
        meaning.is_error = 1
    else:
        meaning.role = ROLE_REQUESTS
        meaning.is_error = is_error(row.rule, series)
    read_unit(series, name.suffix, row.unit, meaning)
    return True


# ---- the name ------------------------------------------------------------------------------------

# A metric's name as the table has it.
cdef struct Plain:
    char text[NAME_ROOM]
    size_t length               # without the suffix that was cut off
    uint32_t shape              # SHAPE_*
    const Unit *suffix          # the unit that was cut off; NULL: none


cdef bint read_name(const Described *series, Plain *name) noexcept nogil:
    """False: nothing in the table is like this."""
    cdef size_t k
    cdef int i
    if series.name_length == 0 or series.name_length >= NAME_ROOM:
        return False
    if series.kind == KIND_HISTOGRAM or series.kind == KIND_EXPONENTIAL:
        name.shape = SHAPE_TIMES
    elif series.kind == KIND_SUM and series.monotonic:
        name.shape = SHAPE_COUNTS
    else:
        return False
    name.length = series.name_length
    name.suffix = NULL
    for k in range(name.length):
        name.text[k] = c'_' if series.name[k] == c'.' else <char>series.name[k]
    if name.shape == SHAPE_COUNTS:
        if ends_with(name, b"_total"):
            name.length -= 6
        return True
    for i in range(SUFFIXES):
        if ends_with(name, suffixes[i].text):
            name.suffix = &suffixes[i]
            name.length -= strlen(suffixes[i].text)
            break
    return True


cdef inline bint equals(const char *text, const uint8_t *bytes, size_t length) noexcept nogil:
    return strlen(text) == length and memcmp(text, bytes, length) == 0


cdef inline bint ends_with(const Plain *name, const char *suffix) noexcept nogil:
    cdef size_t n = strlen(suffix)
    return name.length > n and memcmp(name.text + name.length - n, suffix, n) == 0


cdef const Row *find_row(const Row *table, int count, const Plain *name) noexcept nogil:
    """NULL: none."""
    cdef int i
    for i in range(count):
        if (table[i].shape == name.shape
                and equals(table[i].name, <const uint8_t *>name.text, name.length)):
            return &table[i]
    return NULL


cdef const Row *find_span_row(const Described *series, const Plain *name) noexcept nogil:
    """The same for metrics made from spans, in any namespace."""
    cdef const Row *row = find_row(span_rows, OTHER_SPANS, name)
    if row != NULL:
        return row
    if name.shape == SHAPE_TIMES:
        if not ends_with(name, b"_duration") and not ends_with(name, b"_latency"):
            return NULL
    elif not ends_with(name, b"_calls"):
        return NULL
    return &span_rows[OTHER_SPANS] if has(series, b"span.name") else NULL


# ---- the unit ------------------------------------------------------------------------------------

cdef void read_unit(const Described *series, const Unit *suffix, const char *convention,
                    Meaning *meaning) noexcept nogil:
    """The point's own unit; else that of its Prometheus name; else what the convention fixes.

    How large the values are never decides.
    """
    cdef const uint8_t *unit = series.unit
    cdef size_t length = series.unit_length
    cdef int i
    meaning.multiplier = 0
    meaning.divisor = 1
    if length == 0:
        if suffix != NULL:
            meaning.multiplier = suffix.multiplier
            meaning.divisor = suffix.divisor
            return
        unit = <const uint8_t *>convention
        length = strlen(convention)
    for i in range(UNITS):
        if equals(units[i].text, unit, length):
            meaning.multiplier = units[i].multiplier
            meaning.divisor = units[i].divisor
            return


# ---- errors and protocols ------------------------------------------------------------------------

cdef bint is_error(uint32_t rule, const Described *series) noexcept nogil:
    if rule == RULE_HTTP or rule == RULE_RPC or rule == RULE_TYPE:
        if has(series, b"error.type"):
            return True
    if rule == RULE_HTTP:
        return status_at_least_500(series, b"http.response.status_code")
    if rule == RULE_HTTP_OLD:
        return status_at_least_500(series, b"http.status_code")
    if rule == RULE_RPC:
        # The attribute was renamed to rpc.status_code after version 1.44 of the conventions.
        return (rpc_server_fault(series, b"rpc.status_code")
                or rpc_server_fault(series, b"rpc.response.status_code"))
    if rule == RULE_GRPC_OLD:
        return rpc_server_fault(series, b"rpc.grpc.status_code")
    if rule == RULE_SPAN:
        return (span_failed(series, b"status.code")
                or span_failed(series, b"otel.status_code"))
    return False


cdef bint status_at_least_500(const Described *series, const char *key) noexcept nogil:
    cdef uint32_t length = 0
    cdef const uint8_t *value = find(series, key, &length)
    return number_of(value, length) >= 500


cdef bint rpc_server_fault(const Described *series, const char *key) noexcept nogil:
    """Whether the status, by name or by gRPC's number, is one that is a server's fault."""
    cdef uint32_t length = 0
    cdef char word[TEXT_ROOM]
    cdef const uint8_t *value = find(series, key, &length)
    cdef int n = number_of(value, length)
    if n == 2 or n == 4 or n == 12 or n == 13 or n == 14 or n == 15:
        return True
    word_of(value, length, b"GRPC_STATUS_", b"STATUS_CODE_", word)
    return (same(word, b"UNKNOWN") or same(word, b"DEADLINE_EXCEEDED")
            or same(word, b"UNIMPLEMENTED") or same(word, b"INTERNAL")
            or same(word, b"UNAVAILABLE") or same(word, b"DATA_LOSS"))


cdef bint span_failed(const Described *series, const char *key) noexcept nogil:
    cdef uint32_t length = 0
    cdef char word[TEXT_ROOM]
    cdef const uint8_t *value = find(series, key, &length)
    word_of(value, length, b"STATUS_CODE_", b"STATUSCODE.", word)
    return same(word, b"ERROR") or number_of(value, length) == 2


cdef uint32_t span_protocol(const Described *series) noexcept nogil:
    """The protocol of a span-derived series: what its dimensions tell. 0: not an inbound span."""
    cdef uint32_t length = 0
    cdef char word[TEXT_ROOM]
    cdef const uint8_t *value = find(series, b"span.kind", &length)
    cdef int number = number_of(value, length)
    word_of(value, length, b"SPAN_KIND_", b"SPANKIND.", word)
    if same(word, b"CONSUMER") or number == 5:
        return PROTOCOL_MESSAGING
    if not (same(word, b"SERVER") or number == 2):
        return 0
    if has(series, b"faas.trigger"):
        return PROTOCOL_FAAS
    if (has(series, b"rpc.system") or has(series, b"rpc.system.name")
            or has(series, b"rpc.method")):
        return PROTOCOL_RPC
    if (has(series, b"http.request.method") or has(series, b"http.method")
            or has(series, b"http.route")):
        return PROTOCOL_HTTP
    return PROTOCOL_SERVER


# ---- attributes ----------------------------------------------------------------------------------

cdef bint has(const Described *series, const char *key) noexcept nogil:
    cdef uint32_t length = 0
    return find(series, key, &length) != NULL


cdef const uint8_t *find(const Described *series, const char *key, uint32_t *length) noexcept nogil:
    """An attribute under its OTLP key, or under its Prometheus label, where empty means absent."""
    cdef char label[TEXT_ROOM]
    cdef size_t n = strlen(key)
    cdef size_t i
    cdef const uint8_t *value = series.attribute(series.context, key, length)
    if value != NULL or n >= TEXT_ROOM:
        return value
    for i in range(n + 1):
        label[i] = c'_' if key[i] == c'.' else key[i]
    value = series.attribute(series.context, label, length)
    if value != NULL and length[0] == 1 and value[0] == c's':
        return NULL
    return value


cdef int number_of(const uint8_t *value, uint32_t length) noexcept nogil:
    """The number in canonical bytes: an int, or digits as Prometheus labels have. -1: none."""
    cdef long long n = 0
    cdef uint32_t i
    if value == NULL or length == 0:
        return -1
    if value[0] == c'i' and length == 9:
        memcpy(&n, value + 1, 8)
        return <int>n if 0 <= n < 1000000 else -1
    if value[0] != c's' or length < 2 or length > 7:
        return -1
    for i in range(1, length):
        if value[i] < c'0' or value[i] > c'9':
            return -1
        n = n * 10 + (value[i] - c'0')
    return <int>n


cdef void word_of(const uint8_t *value, uint32_t length, const char *prefix, const char *other,
                  char *out) noexcept nogil:
    """Writes the text in canonical bytes to `out`: upper case, without a prefix, ended by 0.

    The prefix has two spellings, `prefix` and `other`. Empty if the value is no text that fits.
    """
    cdef uint32_t i
    out[0] = 0
    if value == NULL or length < 2 or length > TEXT_ROOM or value[0] != c's':
        return
    for i in range(1, length):
        out[i - 1] = value[i] - 32 if c'a' <= value[i] <= c'z' else value[i]
    out[length - 1] = 0
    cut_prefix(out, length - 1, prefix)
    cut_prefix(out, strlen(out), other)


cdef inline void cut_prefix(char *text, size_t length, const char *prefix) noexcept nogil:
    cdef size_t n = strlen(prefix)
    if length >= n and memcmp(text, prefix, n) == 0:
        memmove(text, text + n, length - n + 1)


cdef inline bint same(const char *a, const char *b) noexcept nogil:
    return strlen(a) == strlen(b) and memcmp(a, b, strlen(a)) == 0
