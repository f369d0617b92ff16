# cython: cdivision=True
# Where RATE, INCREASE and the SUM of counters add up: how much one series of a cumulative sum rose.
#
# Each point is measured against the one before it (bases.pxd has the rules). Most points stand in
# *runs*, in which every base is the predecessor: the differences of a part of a run add up to that
# of its ends, so each window costs one subtraction, however many points it has.
from libc.stdint cimport int64_t, uint32_t, uint64_t

from urpo_store.engine.points.slots cimport FLAG_INT, FLAG_STALE
from urpo_store.query.bases cimport BASE_NONE, BASE_ZERO, known_start, started_again
from urpo_store.query.scanned cimport Points
from urpo_store.query.sums cimport as_double
from urpo_store.query.tallies cimport Tally, add_difference, add_whole, count_points, exact, finite
from urpo_store.query.windows cimport Walk, walk_to, walk_touched


cdef inline bint number_fell(const Points *points, int64_t before, int64_t j) noexcept nogil:
    cdef uint64_t old = points.values[before], new = points.values[j]
    cdef uint32_t old_flags = points.flags[before], new_flags = points.flags[j]
    if old_flags & new_flags & FLAG_INT:
        return <int64_t>new < <int64_t>old
    if not (old_flags | new_flags) & FLAG_INT:
        return as_double(new) < as_double(old)
    return exact(new, new_flags) < exact(old, old_flags)


cdef inline int64_t base_of(
    const Points *points, bint monotonic, int64_t before, int64_t j
) noexcept nogil:
    """The base of point j; `before` is the value before it, -1 if there is none."""
    if before < 0:
        return BASE_ZERO if known_start(points.starts[j], points.times[j]) else BASE_NONE
    if started_again(points, before, j):
        return BASE_ZERO
    if monotonic and number_fell(points, before, j):
        return BASE_ZERO
    return before


cdef inline int64_t run_end(
    const Points *points, bint monotonic, int64_t j, int64_t end
) noexcept nogil:
    """First index past the run at j; j if there is none. REQUIRES: j - 1 is a value of the series.

    A run has one type and one start. Its values do not fall; where they may fall, they are finite.
    So if the ends of a part of it are finite, everything between them is. One start cannot show a
    reset once a point stands at it or behind it."""
    cdef const int64_t *starts = points.starts
    cdef const uint64_t *values = points.values
    cdef const uint32_t *flags = points.flags
    cdef uint32_t kind = flags[j - 1]
    cdef int64_t start = starts[j - 1]
    if start > points.times[j - 1]:
        return j
    if not monotonic:
        while j < end and flags[j] == kind and starts[j] == start and (
            kind & FLAG_INT or finite(values[j])
        ):
            j += 1
    elif kind & FLAG_INT:
        while j < end and flags[j] == kind and starts[j] == start and (
            <int64_t>values[j] >= <int64_t>values[j - 1]
        ):
            j += 1
    else:
        while j < end and flags[j] == kind and starts[j] == start and (
            as_double(values[j]) >= as_double(values[j - 1])
        ):
            j += 1
    return j


cdef inline int64_t end_of_window(
    const int64_t *times, int64_t j, int64_t end, int64_t edge, int64_t guess
) noexcept nogil:
    """First index past the points j..end that are not behind `edge`; j is one of them.

    `guess` is how many the window before had."""
    cdef int64_t k = j + guess
    if k > end or times[k - 1] > edge:
        k = j + 1
    while k < end and times[k] <= edge:
        k += 1
    return k


cdef inline void add_run(
    Tally *tally, const Points *points, int64_t j, int64_t end
) noexcept nogil:
    """Adds the part j..end of a run: one subtraction if its ends are finite, exact for ints."""
    cdef const uint64_t *values = points.values
    if points.flags[j] & FLAG_INT or finite(values[j - 1]) and finite(values[end - 1]):
        add_difference(tally, points, j - 1, end - 1)
    else:
        for j in range(j, end):
            add_difference(tally, points, j - 1, j)


cdef inline void add_alone(
    Tally *tally, const Points *points, int64_t base, int64_t j
) noexcept nogil:
    """Adds a point that is no part of a run."""
    if base == BASE_ZERO:
        add_whole(tally, points.values[j], points.flags[j])
    elif base == BASE_NONE:
        # Adds nothing, but a sum of doubles is a double.
        tally.has_float |= not points.flags[j] & FLAG_INT
    else:
        add_difference(tally, points, base, j)


cdef inline void add_increases(
    Tally *tallies, Walk *group, const Points *points, bint monotonic, int64_t begin
) noexcept nogil:
    """Adds the increases of the series at which `group` stands. The points from `begin` on lead
    it."""
    cdef Walk walk = group[0]
    cdef int64_t j = begin, first = walk.point + 1
    cdef int64_t run, behind
    cdef int64_t before = -1, length = 1, base = BASE_NONE
    cdef bint in_run
    while j < walk.end:
        if points.flags[j] & FLAG_STALE:
            j += 1
            continue
        if j < first:
            before = j
            j += 1
            continue
        run = j
        if before >= 0 and before == j - 1:
            run = run_end(points, monotonic, j, walk.end)
        in_run = run > j
        if not in_run:
            base = base_of(points, monotonic, before, j)
            run = j + 1
        while j < run:
            if not walk_to(&walk, points.times[j]):
                walk_touched(group, &walk)
                return
            behind = end_of_window(points.times, j, run, walk.edge, length)
            if in_run:
                length = behind - j
                add_run(&tallies[walk.window], points, j, behind)
            else:
                add_alone(&tallies[walk.window], points, base, j)
            count_points(&tallies[walk.window], points.times[behind - 1], behind - j)
            j = behind
        before = j - 1
    walk_touched(group, &walk)
