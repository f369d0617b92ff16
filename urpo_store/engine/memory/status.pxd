# What the engine's C functions return, and the one meaning of each.
#
#   int       OK, or the code of what is wrong; then nothing was done, unless the contract says what was
#   bint      an answer, not a failure
#   pointer   NULL; the contract names its one meaning
#
# A function that can fail in one way only is still tested against OK, so that a second way can be added.
# `core`, `reader` and the classes of tests/drivers turn codes into exceptions; nothing below them raises.
cdef enum:
    OK = 0
    NO_MEMORY = -1
    BAD_BYTES = -2              # not what their format says: a request that is no OTLP, a damaged chunk
    STOPPED = -3                # a callback said so
