# Return codes (memory/status.pxd) become exceptions here, and nowhere else.

# The exception for a code that is not OK. `doing` completes "could not ...". For BAD_BYTES the
# bytes are the store's own; a caller whose bytes are a request's raises DecodeError itself.
cdef object failure(int code, str doing)
