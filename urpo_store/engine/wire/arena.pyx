"""Memory of a scan; the contract is in wire/arena.pxd."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from urpo_store.engine.memory.alloc cimport Account, mem_alloc, mem_free
from urpo_store.engine.memory.status cimport NO_MEMORY, OK
from urpo_store.engine.points.slots cimport Point
from urpo_store.engine.wire.messages cimport check_message
from urpo_store.engine.wire.types cimport (
    WIRE_E_NONE, ArenaBlock, Scan, Span, WireMetric, WirePoint, WireResource, WireScope, malformed,
)

cdef enum:
    BLOCK = 65536               # least size of an arena block
    KEEP = 1 << 20              # bytes that the arena and each array may keep in any case


# ---- the arena -----------------------------------------------------------------------------------

cdef uint8_t *arena_take(Scan *scan, size_t size) noexcept nogil:
    cdef ArenaBlock *block = scan.arena_at
    cdef ArenaBlock *made
    cdef uint8_t *taken
    cdef size_t room
    size = (size + 7) & ~<size_t>7
    while block != NULL and block.size - block.used < size:
        if block.next == NULL or block.next.size < size:
            break
        block = block.next
        block.used = 0
    if block == NULL or block.size - block.used < size:
        room = max(size, <size_t>BLOCK)
        made = <ArenaBlock *>mem_alloc(scan.account, sizeof(ArenaBlock) + room)
        if made == NULL:
            return NULL
        made.size = room
        made.used = 0
        made.next = NULL
        if block == NULL:
            scan.arena = made
        else:
            made.next = block.next
            block.next = made
        block = made
    scan.arena_at = block
    taken = <uint8_t *>(block + 1) + block.used
    block.used += size
    return taken


cdef ArenaMark arena_mark(Scan *scan) noexcept nogil:
    cdef ArenaMark mark
    mark.block = scan.arena_at
    mark.used = scan.arena_at.used if scan.arena_at != NULL else 0
    return mark


cdef void arena_back(Scan *scan, ArenaMark mark) noexcept nogil:
    scan.arena_at = mark.block if mark.block != NULL else scan.arena
    if scan.arena_at != NULL:
        scan.arena_at.used = mark.used


cdef void arena_reset(Scan *scan) noexcept nogil:
    """Empties the arena. Gives back blocks beyond what is usually needed."""
    cdef ArenaBlock *block = scan.arena
    cdef ArenaBlock *next
    cdef size_t kept = 0
    cdef ArenaBlock **link = &scan.arena
    while block != NULL:
        next = block.next
        if kept + block.size > KEEP:
            link[0] = next
            mem_free(scan.account, block)
        else:
            kept += block.size
            block.used = 0
            link = &block.next
        block = next
    scan.arena_at = scan.arena


# ---- the scan ------------------------------------------------------------------------------------

cdef void trim(
    Scan *scan, void **items, size_t *capacity, size_t used, size_t size
) noexcept nogil:
    # More than KEEP is kept only where it is needed again and again: memory that is taken and given
    # back by megabytes makes the kernel clear pages.
    if capacity[0] * size > KEEP and (capacity[0] * size > scan.keep or used < capacity[0] // 4):
        mem_free(scan.account, items[0])
        items[0] = NULL
        capacity[0] = 0


cdef void scan_init(Scan *scan, Account *account) noexcept nogil:
    memset(scan, 0, sizeof(Scan))
    scan.account = account
    scan.max_payload = MAX_WORDS
    scan.keep = KEEP


cdef void scan_begin(Scan *scan, const uint8_t *data, size_t length) noexcept nogil:
    scan.begin = data
    scan.length = length
    scan.resource_count = scan.scope_count = scan.metric_count = 0
    scan.point_count = scan.slot_count = 0
    scan.total_points = 0
    scan.error = WIRE_E_NONE
    scan.error_offset = 0
    scan.has_start = False
    scan.unresolved = 0
    scan.most_slots = 0
    scan.expected.p = NULL
    scan.expected.n = 0
    arena_reset(scan)


cdef void scan_end(Scan *scan) noexcept nogil:
    cdef size_t points = scan.point_count
    if scan.batch:
        points = min(scan.total_points, <uint64_t>scan.batch)
    trim(scan, <void **>&scan.resources, &scan.resource_capacity, scan.resource_count,
         sizeof(WireResource))
    trim(scan, <void **>&scan.scopes, &scan.scope_capacity, scan.scope_count, sizeof(WireScope))
    trim(scan, <void **>&scan.metrics, &scan.metric_capacity, scan.metric_count, sizeof(WireMetric))
    trim(scan, <void **>&scan.points, &scan.point_capacity, points, sizeof(WirePoint))
    trim(scan, <void **>&scan.slots, &scan.slot_capacity, max(scan.most_slots, scan.slot_count),
         sizeof(Point))
    trim(scan, <void **>&scan.scratch, &scan.scratch_capacity, 0, 1)
    arena_reset(scan)


cdef void scan_destroy(Scan *scan) noexcept nogil:
    cdef ArenaBlock *block = scan.arena
    cdef ArenaBlock *next
    while block != NULL:
        next = block.next
        mem_free(scan.account, block)
        block = next
    mem_free(scan.account, scan.resources)
    mem_free(scan.account, scan.scopes)
    mem_free(scan.account, scan.metrics)
    mem_free(scan.account, scan.points)
    mem_free(scan.account, scan.slots)
    mem_free(scan.account, scan.scratch)


# ---- pieces --------------------------------------------------------------------------------------

cdef int pieces_add(Scan *scan, Pieces *pieces, Span piece) noexcept nogil:
    cdef uint8_t *room
    cdef size_t needed = pieces.whole.n + piece.n
    if not pieces.any:
        pieces.any = True
        pieces.whole = piece
        pieces.room = 0
        return OK
    if piece.n == 0:
        return OK
    if needed > pieces.room:
        # Twice what is needed: a message in very many pieces is copied about twice, not once a
        # piece.
        room = arena_take(scan, 2 * needed)
        if room == NULL:
            return NO_MEMORY
        if pieces.whole.n:
            memcpy(room, pieces.whole.p, pieces.whole.n)
        pieces.whole.p = room
        pieces.room = 2 * needed
    memcpy(<uint8_t *>pieces.whole.p + pieces.whole.n, piece.p, piece.n)
    pieces.whole.n = needed
    return OK


cdef int pieces_add_checked(
    Scan *scan, Pieces *pieces, Span piece, uint32_t kind, int depth
) noexcept nogil:
    cdef uint32_t error = WIRE_E_NONE
    if pieces.any:
        if not pieces.several:
            error = check_message(kind, pieces.whole, depth)
        if error == WIRE_E_NONE:
            error = check_message(kind, piece, depth)
        if error != WIRE_E_NONE:
            return malformed(scan, error, piece.p)
        pieces.several = True
    return pieces_add(scan, pieces, piece)


# ---- words ---------------------------------------------------------------------------------------

cdef int words_grow(Scan *scan, WordList *list) noexcept nogil:
    cdef size_t wanted = list.capacity * 2 if list.capacity else 64
    cdef uint64_t *room = <uint64_t *>arena_take(scan, wanted * 8)
    if room == NULL:
        return NO_MEMORY
    if list.n:
        memcpy(room, list.words, list.n * 8)
    list.words = room
    list.capacity = wanted
    return OK
