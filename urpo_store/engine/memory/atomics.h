/* Atomics on plain integers, and the other C that Cython has no word for.
 *
 * Cython has no C11 atomics, so these are named wrappers over the compiler's builtins. The name
 * says the memory order. Why that order is enough is said where the function is called.
 *
 * Only x86-64 is tested. The design asks for no more than the orders named here, so it should hold
 * on a weaker memory model too; nothing has shown that it does.
 */
#ifndef URPO_ATOMICS_H
#define URPO_ATOMICS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sem_clockwait */
#endif

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdint.h>
#include <sys/random.h>
#include <time.h>

#include "mutants.h"

/* ---- 64 bits ---- */

static inline uint64_t load_relaxed(const uint64_t *p) {
    return __atomic_load_n(p, __ATOMIC_RELAXED);
}
static inline uint64_t load_acquire(const uint64_t *p) {
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}
static inline uint64_t load_seq_cst(const uint64_t *p) {
    return __atomic_load_n(p, __ATOMIC_SEQ_CST);
}
static inline void store_relaxed(uint64_t *p, uint64_t v) {
    __atomic_store_n(p, v, __ATOMIC_RELAXED);
}
static inline void store_release(uint64_t *p, uint64_t v) {
    __atomic_store_n(p, v, __ATOMIC_RELEASE);
}
static inline void store_seq_cst(uint64_t *p, uint64_t v) {
    __atomic_store_n(p, v, __ATOMIC_SEQ_CST);
}

/* These return the value before. */
static inline uint64_t add_relaxed(uint64_t *p, uint64_t v) {
    return __atomic_fetch_add(p, v, __ATOMIC_RELAXED);
}
static inline uint64_t add_seq_cst(uint64_t *p, uint64_t v) {
    return __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST);
}
static inline uint64_t sub_relaxed(uint64_t *p, uint64_t v) {
    return __atomic_fetch_sub(p, v, __ATOMIC_RELAXED);
}

/* 1: *p was *expected and is now desired; 0: it was not, and *expected is what it was. */
static inline int cas_acq_rel(uint64_t *p, uint64_t *expected, uint64_t desired) {
    return __atomic_compare_exchange_n(p, expected, desired, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}
static inline int cas_seq_cst(uint64_t *p, uint64_t *expected, uint64_t desired) {
    return __atomic_compare_exchange_n(p, expected, desired, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

/* ---- 32 bits ---- */

static inline uint32_t load32_relaxed(const uint32_t *p) {
    return __atomic_load_n(p, __ATOMIC_RELAXED);
}
static inline uint32_t load32_acquire(const uint32_t *p) {
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}
static inline uint32_t load32_seq_cst(const uint32_t *p) {
    return __atomic_load_n(p, __ATOMIC_SEQ_CST);
}
static inline void store32_relaxed(uint32_t *p, uint32_t v) {
    __atomic_store_n(p, v, __ATOMIC_RELAXED);
}
static inline void store32_release(uint32_t *p, uint32_t v) {
    __atomic_store_n(p, v, __ATOMIC_RELEASE);
}
static inline void store32_seq_cst(uint32_t *p, uint32_t v) {
    __atomic_store_n(p, v, __ATOMIC_SEQ_CST);
}

/* ---- pointers ---- */

static inline void *load_ptr_acquire(void *const *p) {
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}
static inline void *load_ptr_relaxed(void *const *p) {
    return __atomic_load_n(p, __ATOMIC_RELAXED);
}
static inline void store_ptr_release(void **p, void *v) {
    __atomic_store_n(p, v, __ATOMIC_RELEASE);
}

/* ---- fences ---- */

static inline void fence_acquire(void) { __atomic_thread_fence(__ATOMIC_ACQUIRE); }
static inline void fence_release(void) { __atomic_thread_fence(__ATOMIC_RELEASE); }

/* ---- the ring's tags and its tail ----
 *
 * They have names of their own, so that `make race` can weaken only them, and show that the weaker
 * order is caught.
 */

static inline void store_tag(uint64_t *p, uint64_t v) {
    if (MUTANT_TAG_STORE_RELAXED)
        store_relaxed(p, v);
    else
        store_release(p, v);
}
static inline uint64_t load_tag(const uint64_t *p) {
    return MUTANT_TAG_LOAD_RELAXED ? load_relaxed(p) : load_acquire(p);
}
static inline void store_tail(uint64_t *p, uint64_t v) {
    if (MUTANT_TAIL_STORE_RELAXED)
        store_relaxed(p, v);
    else
        store_release(p, v);
}
static inline uint64_t load_tail(const uint64_t *p) {
    return MUTANT_TAIL_LOAD_RELAXED ? load_relaxed(p) : load_acquire(p);
}

/* ---- time ---- */

/* For timers. */
static inline uint64_t monotonic_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
/* For filing. */
static inline int64_t wall_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + (int64_t)t.tv_nsec;
}

/* Waits for a post, at most ns nanoseconds of the monotonic clock. 1: one came. */
static inline int sem_wait_for(sem_t *s, uint64_t ns) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    ns += (uint64_t)t.tv_nsec;
    t.tv_sec += (time_t)(ns / 1000000000u);
    t.tv_nsec = (long)(ns % 1000000000u);
    return sem_clockwait(s, CLOCK_MONOTONIC, &t) == 0;
}

/* ---- numbers ---- */

/* Secrets for keyed hashes. Early at boot the kernel may fail; then it is asked again. */
static inline void random_bytes(void *to, size_t count) {
    while (getrandom(to, count, 0) != (ssize_t)count)
        ;
}

/* The two halves of the 128-bit product, xored. */
static inline uint64_t multiply_fold(uint64_t a, uint64_t b) {
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline double bits_to_double(uint64_t bits) {
    double d;
    __builtin_memcpy(&d, &bits, 8);
    return d;
}
static inline uint64_t double_to_bits(double d) {
    uint64_t bits;
    __builtin_memcpy(&bits, &d, 8);
    return bits;
}

#endif
