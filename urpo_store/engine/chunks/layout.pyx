"""Layouts, each stored once; the contract is in chunks/layout.pxd."""
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from urpo_store.engine.memory.alloc cimport Account, mem_alloc, mem_calloc, mem_free, mem_grow
from urpo_store.engine.memory.epoch cimport Epochs, mem_retire
from urpo_store.engine.memory.status cimport NO_MEMORY, OK


cdef void layout_table_init(LayoutTable *table, Account *account, Epochs *epochs) noexcept nogil:
    memset(table, 0, sizeof(LayoutTable))
    table.account = account
    table.epochs = epochs


cdef void layout_table_destroy(LayoutTable *table) noexcept nogil:
    cdef size_t id
    for id in range(table.id_end):
        mem_free(table.account, table.by_id[id])
    mem_free(table.account, table.by_id)
    mem_free(table.account, table.free_ids)
    mem_free(table.account, table.buckets)
    layout_table_init(table, table.account, table.epochs)


cdef uint32_t hash_words(
    uint32_t layout_words, uint32_t row_words, const uint64_t *words
) noexcept nogil:
    # Multiply and fold, as in FNV-1a but a word at a time. Layouts are few and compared in full. A
    # sender that makes them collide slows down only the chunks of its own series.
    cdef uint64_t hash = (<uint64_t>layout_words << 32 | row_words) * <uint64_t>0x9E3779B97F4A7C15
    cdef uint32_t i
    for i in range(layout_words):
        hash = (hash ^ words[i]) * <uint64_t>0x9E3779B97F4A7C15
        hash ^= hash >> 29
    return <uint32_t>(hash >> 32)


cdef int grow_buckets(LayoutTable *table) noexcept nogil:
    cdef size_t size = table.size * 2 if table.size else 16, i
    cdef Layout **buckets = <Layout **>mem_calloc(table.account, size * sizeof(Layout *))
    cdef Layout *layout
    if buckets == NULL:
        # Longer chains are slower, not wrong.
        return OK if table.size else NO_MEMORY
    for i in range(table.size):
        while table.buckets[i] != NULL:
            layout = table.buckets[i]
            table.buckets[i] = layout.next
            layout.next = buckets[layout.hash & (size - 1)]
            buckets[layout.hash & (size - 1)] = layout
    mem_free(table.account, table.buckets)
    table.buckets = buckets
    table.size = size
    return OK


cdef int reserve_id(LayoutTable *table) noexcept nogil:
    """Makes sure that there is a number for one more layout, and that it can be given back."""
    if table.free_count:
        return OK
    if mem_grow(
        table.account, <void **>&table.by_id, &table.id_capacity, table.id_end + 2, sizeof(Layout *)
    ) != OK or mem_grow(
        table.account, <void **>&table.free_ids, &table.free_capacity, table.id_end + 2, 4
    ) != OK:
        return NO_MEMORY
    if table.id_end == 0:
        table.by_id[0] = NULL
        table.id_end = 1
    return OK


cdef uint32_t take_id(LayoutTable *table) noexcept nogil:
    """A number that is free. REQUIRES: reserve_id has returned OK."""
    if table.free_count:
        table.free_count -= 1
        return table.free_ids[table.free_count]
    table.id_end += 1
    return <uint32_t>table.id_end - 1


cdef Layout *layout_intern(
    LayoutTable *table, uint32_t layout_words, uint32_t row_words, const uint64_t *words
) noexcept nogil:
    cdef uint32_t hash = hash_words(layout_words, row_words, words)
    cdef Layout *layout
    if table.count >= table.size and grow_buckets(table) != OK:
        return NULL
    layout = table.buckets[hash & (table.size - 1)]
    while layout != NULL:
        if (
            layout.hash == hash
            and layout.layout_words == layout_words and layout.row_words == row_words
            and (layout_words == 0 or memcmp(layout_data(layout), words, 8 * layout_words) == 0)
        ):
            layout.references += 1
            return layout
        layout = layout.next
    if reserve_id(table) != OK:
        return NULL
    layout = <Layout *>mem_alloc(table.account, sizeof(Layout) + 8 * layout_words)
    if layout == NULL:
        return NULL
    layout.references = 1
    layout.hash = hash
    layout.layout_words = layout_words
    layout.row_words = row_words
    layout.id = take_id(table)
    if layout_words:
        memcpy(layout + 1, words, 8 * layout_words)
    table.by_id[layout.id] = layout
    layout.next = table.buckets[hash & (table.size - 1)]
    table.buckets[hash & (table.size - 1)] = layout
    table.count += 1
    return layout


cdef void layout_release(LayoutTable *table, Layout *layout) noexcept nogil:
    cdef Layout **link
    if layout == NULL:
        return
    layout.references -= 1
    if layout.references:
        return
    link = &table.buckets[layout.hash & (table.size - 1)]
    while link[0] != layout:
        link = &link[0].next
    link[0] = layout.next
    table.by_id[layout.id] = NULL
    table.free_ids[table.free_count] = layout.id
    table.free_count += 1
    table.count -= 1
    mem_retire(table.epochs, table.account, layout)
