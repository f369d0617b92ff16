# Tags of the fields that a scan reads (opentelemetry/proto): field number << 3 | wire type.
#
# The wire type is a part of the tag, so one comparison says whether a field is the one: protobuf
# takes a known number with another wire type for an unknown field.
from urpo_store.engine.wire.protobuf cimport WT_BYTES, WT_FIXED64, WT_VARINT

cdef enum:
    # ExportMetricsServiceRequest
    REQUEST_RESOURCE_METRICS = 1 << 3 | WT_BYTES

    # ResourceMetrics and ScopeMetrics have the same shape.
    ENVELOPE_IDENTITY = 1 << 3 | WT_BYTES               # Resource, InstrumentationScope
    ENVELOPE_CONTENT = 2 << 3 | WT_BYTES                # ScopeMetrics, Metric; repeated
    ENVELOPE_SCHEMA_URL = 3 << 3 | WT_BYTES

    # Resource and InstrumentationScope
    RESOURCE_ATTRIBUTE = 1 << 3 | WT_BYTES
    SCOPE_NAME = 1 << 3 | WT_BYTES
    SCOPE_VERSION = 2 << 3 | WT_BYTES
    SCOPE_ATTRIBUTE = 3 << 3 | WT_BYTES

    # Metric
    METRIC_NAME = 1 << 3 | WT_BYTES
    METRIC_DESCRIPTION = 2 << 3 | WT_BYTES
    METRIC_UNIT = 3 << 3 | WT_BYTES
    METRIC_GAUGE = 5 << 3 | WT_BYTES
    METRIC_SUM = 7 << 3 | WT_BYTES
    METRIC_HISTOGRAM = 9 << 3 | WT_BYTES
    METRIC_EXPONENTIAL = 10 << 3 | WT_BYTES
    METRIC_SUMMARY = 11 << 3 | WT_BYTES
    METRIC_METADATA = 12 << 3 | WT_BYTES

    # Gauge, Sum, Histogram, ExponentialHistogram, Summary: the "data messages" of a metric
    DATA_POINT = 1 << 3 | WT_BYTES
    DATA_TEMPORALITY = 2 << 3 | WT_VARINT
    DATA_MONOTONIC = 3 << 3 | WT_VARINT

    # NumberDataPoint
    NUMBER_START = 2 << 3 | WT_FIXED64
    NUMBER_TIME = 3 << 3 | WT_FIXED64
    NUMBER_DOUBLE = 4 << 3 | WT_FIXED64
    NUMBER_EXEMPLAR = 5 << 3 | WT_BYTES
    NUMBER_INT = 6 << 3 | WT_FIXED64
    NUMBER_ATTRIBUTE = 7 << 3 | WT_BYTES
    NUMBER_FLAGS = 8 << 3 | WT_VARINT

    # HistogramDataPoint
    HISTOGRAM_START = 2 << 3 | WT_FIXED64
    HISTOGRAM_TIME = 3 << 3 | WT_FIXED64
    HISTOGRAM_COUNT = 4 << 3 | WT_FIXED64
    HISTOGRAM_SUM = 5 << 3 | WT_FIXED64
    HISTOGRAM_BUCKETS = 6 << 3 | WT_BYTES               # packed
    HISTOGRAM_BUCKET = 6 << 3 | WT_FIXED64              # not packed: one element
    HISTOGRAM_BOUNDS = 7 << 3 | WT_BYTES
    HISTOGRAM_BOUND = 7 << 3 | WT_FIXED64
    HISTOGRAM_EXEMPLAR = 8 << 3 | WT_BYTES
    HISTOGRAM_ATTRIBUTE = 9 << 3 | WT_BYTES
    HISTOGRAM_FLAGS = 10 << 3 | WT_VARINT
    HISTOGRAM_MIN = 11 << 3 | WT_FIXED64
    HISTOGRAM_MAX = 12 << 3 | WT_FIXED64

    # ExponentialHistogramDataPoint, and its Buckets
    EXPONENTIAL_ATTRIBUTE = 1 << 3 | WT_BYTES
    EXPONENTIAL_START = 2 << 3 | WT_FIXED64
    EXPONENTIAL_TIME = 3 << 3 | WT_FIXED64
    EXPONENTIAL_COUNT = 4 << 3 | WT_FIXED64
    EXPONENTIAL_SUM = 5 << 3 | WT_FIXED64
    EXPONENTIAL_SCALE = 6 << 3 | WT_VARINT
    EXPONENTIAL_ZERO_COUNT = 7 << 3 | WT_FIXED64
    EXPONENTIAL_POSITIVE = 8 << 3 | WT_BYTES
    EXPONENTIAL_NEGATIVE = 9 << 3 | WT_BYTES
    EXPONENTIAL_FLAGS = 10 << 3 | WT_VARINT
    EXPONENTIAL_EXEMPLAR = 11 << 3 | WT_BYTES
    EXPONENTIAL_MIN = 12 << 3 | WT_FIXED64
    EXPONENTIAL_MAX = 13 << 3 | WT_FIXED64
    EXPONENTIAL_ZERO_THRESHOLD = 14 << 3 | WT_FIXED64
    BUCKETS_OFFSET = 1 << 3 | WT_VARINT
    BUCKETS_COUNTS = 2 << 3 | WT_BYTES                  # packed
    BUCKETS_COUNT = 2 << 3 | WT_VARINT                  # not packed: one element

    # SummaryDataPoint, and its ValueAtQuantile
    SUMMARY_START = 2 << 3 | WT_FIXED64
    SUMMARY_TIME = 3 << 3 | WT_FIXED64
    SUMMARY_COUNT = 4 << 3 | WT_FIXED64
    SUMMARY_SUM = 5 << 3 | WT_FIXED64
    SUMMARY_QUANTILE = 6 << 3 | WT_BYTES
    SUMMARY_ATTRIBUTE = 7 << 3 | WT_BYTES
    SUMMARY_FLAGS = 8 << 3 | WT_VARINT
    QUANTILE_QUANTILE = 1 << 3 | WT_FIXED64
    QUANTILE_VALUE = 2 << 3 | WT_FIXED64

    # Exemplar
    EXEMPLAR_TIME = 2 << 3 | WT_FIXED64
    EXEMPLAR_DOUBLE = 3 << 3 | WT_FIXED64
    EXEMPLAR_SPAN_ID = 4 << 3 | WT_BYTES
    EXEMPLAR_TRACE_ID = 5 << 3 | WT_BYTES
    EXEMPLAR_INT = 6 << 3 | WT_FIXED64

    # KeyValue, AnyValue, ArrayValue, KeyValueList
    KEYVALUE_KEY = 1 << 3 | WT_BYTES
    KEYVALUE_VALUE = 2 << 3 | WT_BYTES
    ANY_STRING = 1 << 3 | WT_BYTES
    ANY_BOOL = 2 << 3 | WT_VARINT
    ANY_INT = 3 << 3 | WT_VARINT
    ANY_DOUBLE = 4 << 3 | WT_FIXED64
    ANY_ARRAY = 5 << 3 | WT_BYTES
    ANY_MAP = 6 << 3 | WT_BYTES
    ANY_BYTES = 7 << 3 | WT_BYTES
    ANY_STRING_INDEX = 8 << 3 | WT_VARINT               # into a table that only profiles have
    ARRAY_ITEM = 1 << 3 | WT_BYTES
    MAP_ENTRY = 1 << 3 | WT_BYTES
