"""Epochs under threads: readers look at a node that a writer replaces, retires and reclaims.

A node's fields are plain memory: written before it is linked, and overwritten with a mark just
before it is freed. So a reader that comes too late, or whose look is not ordered before the
freeing, is seen by the checker or by ThreadSanitizer.
"""
from libc.stdint cimport uint64_t

from urpo_store.engine.memory.alloc cimport Account, account_init, mem_alloc, mem_free
from urpo_store.engine.memory.atomics cimport (
    add_relaxed, load_ptr_acquire, load_relaxed, pthread_mutex_destroy, pthread_mutex_init,
    pthread_mutex_lock, pthread_mutex_t, pthread_mutex_unlock, store_ptr_release, store_relaxed,
)
from urpo_store.engine.memory.epoch cimport (
    Epochs, epoch_enter, epoch_leave, epoch_reclaim, epoch_retire, epochs_destroy, epochs_init,
)

cdef enum:
    NODE_WORDS = 8
    LOOKS = 1000
    DEAD = 0xDEAD

cdef struct Node:
    uint64_t words[NODE_WORDS]  # all the same number


cdef void release_node(void *context, void *item) noexcept nogil:
    cdef Node *node = <Node *>item
    cdef int i
    for i in range(NODE_WORDS):
        node.words[i] = DEAD
    mem_free(<Account *>context, node)


cdef class EpochRace:
    """:param turns: nodes that all writers together link at least, one after the other; they go
        on until readers have taken LOOKS looks.
    """
    cdef Account account
    cdef Epochs epochs
    cdef pthread_mutex_t lock               # of those who link
    cdef void *node                         # atomic; under the lock
    cdef uint64_t turns
    cdef uint64_t linked                    # atomic; under the lock
    cdef uint64_t looks, wrong              # atomic

    def __cinit__(self, uint64_t turns):
        account_init(&self.account, NULL)
        if epochs_init(&self.epochs, &self.account) != 0:
            raise MemoryError("no memory for epochs")
        self.turns = turns
        pthread_mutex_init(&self.lock, NULL)
        link_node(self)

    def __dealloc__(self):
        if self.epochs.account != NULL:
            epochs_destroy(&self.epochs)
            mem_free(&self.account, self.node)
            pthread_mutex_destroy(&self.lock)

    @property
    def failure(self):
        """What went wrong first, or None."""
        if load_relaxed(&self.wrong):
            return "a reader found a node that had been freed"
        return None

    @property
    def checked(self):
        """How many looks readers have taken."""
        return load_relaxed(&self.looks)

    @property
    def complete(self):
        """Whether all is linked and all but the last node is given back. For one thread alone."""
        epoch_reclaim(&self.epochs)
        return self.linked > self.turns and self.epochs.limbo_count == 0

    def write(self, uint64_t turns=2**63):
        """Links and retires; False when that was all."""
        with nogil:
            while turns and not is_over(self):
                link_node(self)
                epoch_reclaim(&self.epochs)
                turns -= 1
        return not turns

    def read(self, uint64_t looks=2**63):
        """Looks at the node; False when all is linked."""
        with nogil:
            while looks and not is_over(self):
                look(self)
                looks -= 1
        return not looks


cdef bint is_over(EpochRace race) noexcept nogil:
    return load_relaxed(&race.wrong) != 0 or (
        load_relaxed(&race.linked) > race.turns and load_relaxed(&race.looks) >= LOOKS
    )


cdef void link_node(EpochRace race) noexcept nogil:
    cdef Node *node = <Node *>mem_alloc(&race.account, sizeof(Node))
    cdef void *old
    cdef int i
    pthread_mutex_lock(&race.lock)
    for i in range(NODE_WORDS):
        node.words[i] = race.linked << 16
    old = race.node
    store_ptr_release(&race.node, node)
    store_relaxed(&race.linked, race.linked + 1)
    pthread_mutex_unlock(&race.lock)
    if old != NULL:
        epoch_retire(&race.epochs, release_node, &race.account, old, False)


cdef void look(EpochRace race) noexcept nogil:
    cdef int slot = epoch_enter(&race.epochs)
    cdef const Node *node = <const Node *>load_ptr_acquire(&race.node)
    cdef uint64_t number = node.words[0]
    cdef int i
    if number & 0xFFFF:
        add_relaxed(&race.wrong, 1)
    for i in range(1, NODE_WORDS):
        if node.words[i] != number:
            add_relaxed(&race.wrong, 1)
    epoch_leave(&race.epochs, slot)
    add_relaxed(&race.looks, 1)
