# A sum of doubles that carries what rounding lost (Neumaier 1974): 1,000,000 small increments
# beside a large one all count. Infinities and NaN give what a plain sum would give.
from libc.stdint cimport uint64_t
from libc.string cimport memcpy

cdef struct Sum:
    double total, lost


cdef inline void sum_add(Sum *sum, double x) noexcept nogil:
    cdef double total = sum.total + x
    if (sum.total if sum.total >= 0 else -sum.total) >= (x if x >= 0 else -x):
        sum.lost += (sum.total - total) + x
    else:
        sum.lost += (x - total) + sum.total
    sum.total = total


cdef inline double sum_of(const Sum *sum) noexcept nogil:
    cdef double whole = sum.total + sum.lost
    # An infinite total leaves NaN in `lost`.
    return whole if whole == whole else sum.total


cdef inline double as_double(uint64_t bits) noexcept nogil:
    cdef double value
    memcpy(&value, &bits, sizeof(value))    # a cast of the pointer would break C's aliasing rules
    return value
