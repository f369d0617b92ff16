"""Bucket ranges of exponential histograms, called with Python's tuples: for tests.

Ranges are (scale, first positive, positive count, first negative, negative count).
"""
from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport free, malloc

from urpo_store.engine.points.ranges cimport (
    Ranges, ranges_coarsen, ranges_fold, ranges_join, ranges_pad, ranges_read, ranges_row,
    ranges_write,
)


cdef Ranges taken(ranges) except *:
    cdef Ranges out
    out.scale, out.positive, out.positive_count, out.negative, out.negative_count = ranges
    return out


cdef tuple told(const Ranges *r):
    return r.scale, r.positive, r.positive_count, r.negative, r.negative_count


def written(ranges):
    """The two words of the layout, and how many words a row has."""
    cdef Ranges source = taken(ranges)
    cdef uint64_t[2] layout
    ranges_write(&source, layout)
    return (layout[0], layout[1]), ranges_row(&source)


def read(words, uint32_t row):
    """The ranges of a layout whose rows have `row` words, or None."""
    cdef uint64_t[8] layout
    cdef Ranges out
    for i, word in enumerate(words[:8]):
        layout[i] = word
    return told(&out) if ranges_read(&out, layout, <uint32_t>len(words), row) else None


def joined(a, b):
    """The union of both, or None."""
    cdef Ranges first = taken(a), second = taken(b), out
    return told(&out) if ranges_join(&first, &second, &out) else None


def coarsened(ranges, scale):
    """The ranges at a smaller scale."""
    cdef Ranges source = taken(ranges), out
    ranges_coarsen(&source, scale, &out)
    return told(&out)


def moved(ranges, row, to):
    """The row as one of the ranges `to`: padded, or folded if the scale of `to` is smaller."""
    cdef Ranges source = taken(ranges), target = taken(to)
    cdef uint32_t size = ranges_row(&target), i
    cdef uint64_t *words = <uint64_t *>malloc(8 * (len(row) + size))
    if words == NULL:
        raise MemoryError
    if len(row) != ranges_row(&source):
        free(words)
        raise ValueError(f"a row of these ranges has {ranges_row(&source)} words, not {len(row)}")
    for i, word in enumerate(row):
        words[i] = word
    if source.scale == target.scale:
        ranges_pad(&source, words, &target, words + len(row))
    else:
        ranges_fold(&source, words, &target, words + len(row))
    found = [words[len(row) + i] for i in range(size)]
    free(words)
    return found
