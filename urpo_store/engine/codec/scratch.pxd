# The working memory of one encode or decode call, cut from the caller's block.
#
# Each array has room for `count` items. The users of each:
#   codec/columns     scaled, side, trial, check
#   codec/integers    column, residuals, centred
#   codec/streams     sparse, symbols
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint64_t

cdef struct Scratch:
    int64_t *scaled             # doubles times a power of ten
    uint64_t *side              # their corrections
    uint64_t *check             # what was just encoded, decoded again
    uint64_t *column            # integers divided by what divides them all
    uint64_t *residuals         # integers less what was predicted, less their minimum
    uint64_t *centred           # the same less their median, zigzag
    uint64_t *sparse            # gaps, and from sparse[count / 2] on the numbers between them
    uint16_t *symbols
    uint8_t *trial              # TRIAL bytes: a column being written


cdef inline size_t trial_size(size_t count) noexcept nogil:
    """Three streams at most: 8 bytes a number, widths of blocks, and the descriptions of codes."""
    return 32 * count + 4096


cdef inline size_t scratch_size(size_t count) noexcept nogil:
    return (7 * 8 + 8) * count + 16 + trial_size(count)


cdef inline void scratch_cut(Scratch *scratch, void *block, size_t count) noexcept nogil:
    cdef uint64_t *words = <uint64_t *>block
    scratch.scaled = <int64_t *>words
    scratch.side = words + count
    scratch.check = words + 2 * count
    scratch.column = words + 3 * count
    scratch.residuals = words + 4 * count
    scratch.centred = words + 5 * count
    scratch.sparse = words + 6 * count
    scratch.symbols = <uint16_t *>(words + 7 * count)
    scratch.trial = <uint8_t *>(words + 8 * count)
