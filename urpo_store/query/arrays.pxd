# cython: boundscheck=False, wraparound=False, cdivision=True
# The memory of a numpy array that a kernel fills; NULL only with an exception (the wrong type).
#
# REQUIRES: the array is contiguous, and lives as long as the pointer is used.
from libc.stdint cimport int64_t, uint8_t, uint64_t


cdef inline int64_t *int64s(array) except? NULL:
    cdef int64_t[::1] view = array
    return &view[0]


cdef inline uint64_t *uint64s(array) except? NULL:
    cdef uint64_t[::1] view = array
    return &view[0]


cdef inline uint8_t *uint8s(array) except? NULL:
    cdef uint8_t[::1] view = array
    return &view[0]


cdef inline double *doubles(array) except? NULL:
    cdef double[::1] view = array
    return &view[0]
