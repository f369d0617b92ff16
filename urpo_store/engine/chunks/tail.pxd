# The tail of a series: its newest points, before they are sealed into a chunk.
#
# A full chunk's worth of points (CHUNK_POINTS) is collected here and then encoded once. All points
# but the newest stand in a stream of bytes (chunks/tail_stream.pxd) that only grows; the newest
# stands beside it, decoded. A point that is older than the newest is *late*: it waits decoded in
# `late`, until a fold (chunks/folding.pxd) puts it where it belongs.
#
# Invariants
# (1) Written under the drain lock. Bytes before cursor.length never change; a stream that outgrows
#     its room is copied, and the old one, if a reader was told of it (`shared`), retired through
#     epochs. So a reader inside an epoch may decode what it was told of under the lock.
# (2) The newest point is not in the stream, so that it can be replaced.
# (3) All points of a tail have one layout; of an exponential histogram, one that may still widen.
# (4) An empty tail (cursor.count 0) holds no clock and no stream; its rows may stay, with zeros as
#     the last row.
from libc.stdint cimport uint8_t, uint32_t, uint64_t

from urpo_store.engine.memory.alloc cimport Account
from urpo_store.engine.memory.epoch cimport Epochs
from urpo_store.engine.points.ranges cimport Ranges
from urpo_store.engine.chunks.tail_stream cimport cursor_step, entry_meta
from urpo_store.engine.chunks.types cimport Tail, TailRows, TailView, Work

cdef inline void tail_step(Tail *tail, uint32_t end) noexcept nogil:
    """The entry of the newest point, which tail_write has written, becomes a part of the stream.

    The newest point is to be set anew: it is in the stream now.
    """
    cdef uint8_t meta = entry_meta(tail.bytes + tail.cursor.length)
    cursor_step(&tail.cursor, &tail.newest, meta, end, tail.clock == NULL)

# Writes the entry of the newest point behind the stream; *end: the byte behind it. Nothing is
# changed but the stream's room, and what is written becomes a part of the stream by tail_step only.
# OK or NO_MEMORY.
cdef int tail_write(
    Work *work, Epochs *epochs, Tail *tail, uint32_t kind, uint32_t *end
) noexcept nogil
# Gives the stream back: at once, unless a reader may be at it.
cdef void tail_free_stream(Account *account, Epochs *epochs, Tail *tail) noexcept nogil
# Forgets the points of the stream, and gives it back. Without bytes it is another's now: a full
# tail's.
cdef void tail_clear(Account *account, Epochs *epochs, Tail *tail) noexcept nogil
# Rows for points of one layout, which is the caller's to set, or, if `ranges` is given, of ranges
# that may widen. All words are 0. NULL: no memory.
cdef TailRows *tail_rows_new(
    Account *account, uint32_t row_words, const Ranges *ranges
) noexcept nogil
# A view of the tail as it is. Its row points into the tail; its layout into the tail's or, of
# ranges, into `layout`, which has room for 2 words.
cdef void tail_view(
    const Tail *tail, uint32_t kind, uint64_t *layout, TailView *view
) noexcept nogil
