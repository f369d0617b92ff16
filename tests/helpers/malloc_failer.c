/* Preloaded, makes one call of malloc and its kin fail, and counts the blocks that are not yet freed:
 * of the whole process, whatever the engine says of itself. Relies on glibc's own names for them. */
#include <stddef.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void __libc_free(void *block);

static unsigned long calls, fails_at;
static long blocks;

/* The n-th call from now on fails; 0: none. */
void malloc_fails(unsigned long n) {
    unsigned long now = __atomic_load_n(&calls, __ATOMIC_RELAXED);
    __atomic_store_n(&fails_at, n ? now + n : 0, __ATOMIC_RELAXED);
}

long malloc_blocks(void) { return __atomic_load_n(&blocks, __ATOMIC_RELAXED); }

static int must_fail(void) {
    return __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED) ==
           __atomic_load_n(&fails_at, __ATOMIC_RELAXED);
}

static void *counted(void *block) {
    if (block) __atomic_fetch_add(&blocks, 1, __ATOMIC_RELAXED);
    return block;
}

void *malloc(size_t size) { return must_fail() ? NULL : counted(__libc_malloc(size)); }

void *calloc(size_t number, size_t size) {
    return must_fail() ? NULL : counted(__libc_calloc(number, size));
}

void *realloc(void *block, size_t size) {
    void *moved = must_fail() ? NULL : __libc_realloc(block, size);
    if (!block) counted(moved);
    return moved;
}

void free(void *block) {
    if (block) __atomic_fetch_sub(&blocks, 1, __ATOMIC_RELAXED);
    __libc_free(block);
}
