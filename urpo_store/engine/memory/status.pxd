# What the engine's C functions return, and the one meaning of each code.
#
#   int       OK, or the code of what is wrong. On a failure nothing was done, unless the contract
#             says what was
#   bint      an answer, never a failure
#   pointer   NULL has one meaning, which the contract names; so has 0 where an id is returned
#
# A function that can fail in one way only is still tested against OK, so that a second way can be
# added. Codes become exceptions where Python is called: memory/failures.pxd.
cdef enum:
    OK = 0
    NO_MEMORY = -1
    BAD_BYTES = -2              # not in their format: a request that is no OTLP, a damaged chunk
    STOPPED = -3                # a callback asked to stop
