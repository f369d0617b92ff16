"""The beginning and the end of the table of all series; the contract is in identity/table.pxd."""
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memset, strlen

from urpo_store.engine.memory.alloc cimport Account
from urpo_store.engine.memory.atomics cimport (
    pthread_mutex_destroy, pthread_mutex_init, random_bytes,
)
from urpo_store.engine.memory.epoch cimport Epochs, release_fn
from urpo_store.engine.memory.status cimport NO_MEMORY, OK
from urpo_store.engine.identity.collapse cimport OVERFLOW_VALUE
from urpo_store.engine.identity.hashing cimport SECRETS
from urpo_store.engine.identity.intern cimport (
    Key, KeyTable, key_of, table_destroy, table_init, table_intern,
)
from urpo_store.engine.identity.leaving cimport free_metric, free_resource, free_scope, free_series
from urpo_store.engine.identity.pages cimport page_get, pages_free, pages_new
from urpo_store.engine.identity.types cimport Series

cdef enum:
    KEY_TABLES = 8
    PLAIN_TABLES = 3            # of these, tables whose keys have no prefix


cdef void list_key_tables(SeriesTable *table, KeyTable **tables) noexcept nogil:
    """All key tables, the plain ones first."""
    tables[0] = &table.strings
    tables[1] = &table.resources
    tables[2] = &table.resource_aliases
    tables[3] = &table.scopes
    tables[4] = &table.scope_aliases
    tables[5] = &table.metrics
    tables[6] = &table.series
    tables[7] = &table.aliases


cdef int series_table_init(
    SeriesTable *table, Account *account, Epochs *epochs, uint32_t max_series, uint64_t memory_limit
) noexcept nogil:
    memset(table, 0, sizeof(SeriesTable))
    table.account = account
    table.epochs = epochs
    table.max_series = max_series
    table.memory_limit = memory_limit
    table.series_limit = 1
    pthread_mutex_init(&table.lock, NULL)
    if make_parts(table) != OK:
        # What was not made is all zeros, and nothing to destroy.
        series_table_destroy(table)
        return NO_MEMORY
    return OK


cdef int make_parts(SeriesTable *table) noexcept nogil:
    cdef KeyTable *tables[KEY_TABLES]
    cdef uint64_t[SECRETS] secret
    cdef Key overflow = key_of(<const uint8_t *>OVERFLOW_VALUE, strlen(OVERFLOW_VALUE))
    cdef int i
    random_bytes(secret, sizeof(secret))
    list_key_tables(table, tables)
    for i in range(KEY_TABLES):
        if table_init(tables[i], table.account, table.epochs, secret, i >= PLAIN_TABLES) != OK:
            return NO_MEMORY
    table.resource_pages = pages_new(table.account)
    table.scope_pages = pages_new(table.account)
    table.metric_pages = pages_new(table.account)
    table.series_pages = pages_new(table.account)
    if (table.resource_pages == NULL or table.scope_pages == NULL or table.metric_pages == NULL
            or table.series_pages == NULL):
        return NO_MEMORY
    # Held for ever, so that the value that stands for others always has the same id.
    return OK if table_intern(&table.strings, &overflow) else NO_MEMORY


cdef void end_series(void *context, void *item) noexcept nogil:
    cdef SeriesTable *table = <SeriesTable *>context
    if table.hooks.on_gone != NULL:
        table.hooks.on_gone(table.hooks.context, table, <Series *>item)
    free_series(table, item)


cdef void free_records(
    SeriesTable *table, void **pages, uint32_t limit, release_fn free
) noexcept nogil:
    cdef uint32_t id
    cdef void *item
    for id in range(1, limit):
        item = page_get(pages, id)
        if item != NULL:
            free(table, item)
    pages_free(table.account, pages)


cdef void series_table_destroy(SeriesTable *table) noexcept nogil:
    cdef KeyTable *tables[KEY_TABLES]
    cdef int i
    free_records(table, table.series_pages, table.series_limit, end_series)
    free_records(table, table.resource_pages, table.resources.next_id, free_resource)
    free_records(table, table.scope_pages, table.scopes.next_id, free_scope)
    free_records(table, table.metric_pages, table.metrics.next_id, free_metric)
    list_key_tables(table, tables)
    for i in range(KEY_TABLES):
        table_destroy(tables[i])
    pthread_mutex_destroy(&table.lock)
