# Atomics, threads, semaphores, clocks and bits; the contract is in atomics.h.
from libc.stdint cimport int64_t, uint32_t, uint64_t

cdef extern from "atomics.h" nogil:
    uint64_t load_relaxed(const uint64_t *p)
    uint64_t load_acquire(const uint64_t *p)
    uint64_t load_seq_cst(const uint64_t *p)
    void store_relaxed(uint64_t *p, uint64_t v)
    void store_release(uint64_t *p, uint64_t v)
    void store_seq_cst(uint64_t *p, uint64_t v)
    uint64_t add_relaxed(uint64_t *p, uint64_t v)
    uint64_t add_seq_cst(uint64_t *p, uint64_t v)
    uint64_t sub_relaxed(uint64_t *p, uint64_t v)
    bint cas_acq_rel(uint64_t *p, uint64_t *expected, uint64_t desired)
    bint cas_seq_cst(uint64_t *p, uint64_t *expected, uint64_t desired)

    uint32_t load32_relaxed(const uint32_t *p)
    uint32_t load32_acquire(const uint32_t *p)
    uint32_t load32_seq_cst(const uint32_t *p)
    void store32_relaxed(uint32_t *p, uint32_t v)
    void store32_release(uint32_t *p, uint32_t v)
    void store32_seq_cst(uint32_t *p, uint32_t v)

    void *load_ptr_acquire(void **p)
    void *load_ptr_relaxed(void **p)
    void store_ptr_release(void **p, void *v)

    void fence_acquire()
    void fence_release()

    void store_tag(uint64_t *p, uint64_t v)
    uint64_t load_tag(const uint64_t *p)
    void store_tail(uint64_t *p, uint64_t v)
    uint64_t load_tail(const uint64_t *p)

    uint64_t monotonic_ns()
    int64_t wall_ns()
    void random_bytes(void *to, size_t count)
    uint64_t multiply_fold(uint64_t a, uint64_t b)
    double bits_to_double(uint64_t bits)
    uint64_t double_to_bits(double d)

    # Asks for a cache line. It reads nothing, so the address may be of memory that is gone.
    void __builtin_prefetch(const void *address)

    ctypedef struct pthread_mutex_t:
        pass
    ctypedef struct pthread_t:
        pass
    int pthread_mutex_init(pthread_mutex_t *m, void *attr)
    int pthread_mutex_destroy(pthread_mutex_t *m)
    int pthread_mutex_lock(pthread_mutex_t *m)
    int pthread_mutex_trylock(pthread_mutex_t *m)
    int pthread_mutex_unlock(pthread_mutex_t *m)
    int sched_yield()
    int pthread_create(
        pthread_t *thread, void *attr, void *(*run)(void *) noexcept nogil, void *argument
    )
    int pthread_join(pthread_t thread, void **result)
    int pthread_setname_np(pthread_t thread, const char *name)
    int pthread_atfork(void *prepare, void *parent, void (*child)() noexcept nogil)

    ctypedef struct sem_t:
        pass
    int sem_init(sem_t *s, int shared, unsigned int value)
    int sem_destroy(sem_t *s)
    int sem_post(sem_t *s)
    # Waits for a post, at most `ns`. True: one came.
    bint sem_wait_for(sem_t *s, uint64_t ns)
