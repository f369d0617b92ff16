/* Preloaded, lets a test move the monotonic clock of its process on: idleness of series is told by it.
 * A wait until a time of this clock lasts as long as before. That is not so of condition variables, so the
 * threads that wait for Python's lock would wait long: for processes with one Python thread. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <semaphore.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long moved;

static long seconds_moved(void) { return __atomic_load_n(&moved, __ATOMIC_RELAXED); }

void move_clock(long seconds) { __atomic_fetch_add(&moved, seconds, __ATOMIC_RELAXED); }

int clock_gettime(clockid_t id, struct timespec *time) {
    int verdict = (int)syscall(SYS_clock_gettime, id, time);
    if (verdict == 0 && id == CLOCK_MONOTONIC)
        time->tv_sec += seconds_moved();
    return verdict;
}

int sem_clockwait(sem_t *semaphore, clockid_t id, const struct timespec *until) {
    int (*wait)(sem_t *, clockid_t, const struct timespec *);
    struct timespec time = *until;
    wait = (int (*)(sem_t *, clockid_t, const struct timespec *))dlsym(RTLD_NEXT, "sem_clockwait");
    if (id == CLOCK_MONOTONIC)
        time.tv_sec -= seconds_moved();
    return wait(semaphore, id, &time);
}
