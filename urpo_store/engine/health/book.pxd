# The health of one service by itself, filed from points given in Python.
#
# The store answers with it for windows that reach beyond the slots: the stored points are filed
# once more, by the code that files what arrives.
from urpo_store.engine.memory.alloc cimport Account
from urpo_store.engine.health.types cimport HealthSeries, HealthService

cdef class HealthBook:
    cdef Account account
    cdef HealthService *service
    cdef list handles           # addresses of HealthSeries; 0: the series says nothing about
                                # requests

    # NULL: the series says nothing about requests, or there is no memory.
    cdef HealthSeries *new_series(self, str metric, str unit, int kind, int temporality,
                                  bint monotonic, attributes, bint collapsed) except? NULL
    cdef HealthSeries *series_of(self, handle) except? NULL
