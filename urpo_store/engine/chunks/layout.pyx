"""Layouts, stored once; the contract is in chunks/layout.pxd."""
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

from urpo_store.engine.memory.alloc cimport Account, mem_alloc, mem_calloc, mem_free
from urpo_store.engine.memory.epoch cimport Epochs, mem_retire


cdef void layout_table_init(LayoutTable *table, Account *account, Epochs *epochs) noexcept nogil:
    table.account = account
    table.epochs = epochs
    table.buckets = NULL
    table.size = table.count = 0


cdef void layout_table_destroy(LayoutTable *table) noexcept nogil:
    cdef size_t i
    cdef Layout *layout
    for i in range(table.size):
        while table.buckets[i] != NULL:
            layout = table.buckets[i]
            table.buckets[i] = layout.next
            mem_free(table.account, layout)
    mem_free(table.account, table.buckets)
    layout_table_init(table, table.account, table.epochs)


cdef uint32_t hash_words(uint32_t layout_words, uint32_t row_words, const uint64_t *words) noexcept nogil:
    # Multiply and fold, as in FNV-1a but a word at a time. Layouts are few and compared in full, and
    # a sender who makes them collide slows down only the chunks of its own series' changes.
    cdef uint64_t hash = (<uint64_t>layout_words << 32 | row_words) * <uint64_t>0x9E3779B97F4A7C15
    cdef uint32_t i
    for i in range(layout_words):
        hash = (hash ^ words[i]) * <uint64_t>0x9E3779B97F4A7C15
        hash ^= hash >> 29
    return <uint32_t>(hash >> 32)


cdef int grow(LayoutTable *table) noexcept nogil:
    cdef size_t size = table.size * 2 if table.size else 16, i
    cdef Layout **buckets = <Layout **>mem_calloc(table.account, size * sizeof(Layout *))
    cdef Layout *layout
    if buckets == NULL:
        # Longer chains are slower, not wrong.
        return 0 if table.size else -1
    for i in range(table.size):
        while table.buckets[i] != NULL:
            layout = table.buckets[i]
            table.buckets[i] = layout.next
            layout.next = buckets[layout.hash & (size - 1)]
            buckets[layout.hash & (size - 1)] = layout
    mem_free(table.account, table.buckets)
    table.buckets = buckets
    table.size = size
    return 0


cdef Layout *layout_intern(
    LayoutTable *table, uint32_t layout_words, uint32_t row_words, const uint64_t *words
) noexcept nogil:
    cdef uint32_t hash = hash_words(layout_words, row_words, words)
    cdef Layout *layout
    if table.count >= table.size and grow(table) != 0:
        return NULL
    layout = table.buckets[hash & (table.size - 1)]
    while layout != NULL:
        if (
            layout.hash == hash and layout.layout_words == layout_words and layout.row_words == row_words
            and (layout_words == 0 or memcmp(layout_data(layout), words, 8 * layout_words) == 0)
        ):
            layout.references += 1
            return layout
        layout = layout.next
    layout = <Layout *>mem_alloc(table.account, sizeof(Layout) + 8 * layout_words)
    if layout == NULL:
        return NULL
    layout.references = 1
    layout.hash = hash
    layout.layout_words = layout_words
    layout.row_words = row_words
    layout.padding = 0
    if layout_words:
        memcpy(layout_data(layout), words, 8 * layout_words)
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
    table.count -= 1
    mem_retire(table.epochs, table.account, layout)
