# cython: boundscheck=False, wraparound=False, cdivision=True
# The columns of a source.Scanned as plain pointers.
from libc.stdint cimport int64_t, uint32_t, uint64_t

# Series i has the points offsets[i]..offsets[i + 1], ascending in time; first[i] is the first of
# them within the range. `row` and `words` are of histograms, NULL where there are none: the row of
# point j begins at words[row[j]] (engine/points/slots.pxd).
cdef struct Points:
    Py_ssize_t series, count
    const int64_t *offsets
    const int64_t *first
    const int64_t *times
    const int64_t *starts
    const uint64_t *values          # bits: int64 with FLAG_INT, else float64; counts of histograms
    const uint32_t *flags
    const uint64_t *row
    const uint64_t *words


cdef inline int points_of(Points *points, scanned) except -1:
    """REQUIRES: the Scanned lives as long as the points are used."""
    cdef const int64_t[::1] offsets = scanned.offsets
    cdef const int64_t[::1] first = scanned.first
    cdef const int64_t[::1] times = scanned.times
    cdef const int64_t[::1] starts = scanned.starts
    cdef const uint64_t[::1] values = scanned.values
    cdef const uint32_t[::1] flags = scanned.flags
    points.series = first.shape[0]
    points.count = times.shape[0]
    points.offsets = &offsets[0]
    points.first = &first[0]
    points.times = &times[0]
    points.starts = &starts[0]
    points.values = &values[0]
    points.flags = &flags[0]
    points.row = words_of(scanned.row)
    points.words = words_of(scanned.words)
    return 0


cdef inline const uint64_t *words_of(column) except? NULL:
    cdef const uint64_t[::1] words
    if column is None:
        return NULL
    words = column
    return &words[0]
