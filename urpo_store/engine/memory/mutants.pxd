# The bugs that `make race` plants; the contract is in mutants.h.
cdef extern from "mutants.h" nogil:
    const bint MUTANT_FIRST_TAG_FIRST
    const bint MUTANT_NO_SECOND_LOOK
    const bint MUTANT_RELEASE_EARLY
    const bint MUTANT_WATERMARK_EARLY
    const bint MUTANT_LEAVE_RELAXED
    const bint MUTANT_RECLAIM_HELD
    const bint MUTANT_FULL_UNLOCKED
    const bint MUTANT_FULL_FREED
