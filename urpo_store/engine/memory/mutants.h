/* Bugs on request. `make race` sets one of these to 1 to show that the bug is caught. In every
 * other build they are 0, and the compiler leaves nothing of them. tests/race/mutants.py says what
 * each one breaks.
 */
#ifndef URPO_MUTANTS_H
#define URPO_MUTANTS_H

#ifndef MUTANT_TAG_STORE_RELAXED
#define MUTANT_TAG_STORE_RELAXED 0
#endif
#ifndef MUTANT_TAG_LOAD_RELAXED
#define MUTANT_TAG_LOAD_RELAXED 0
#endif
#ifndef MUTANT_TAIL_STORE_RELAXED
#define MUTANT_TAIL_STORE_RELAXED 0
#endif
#ifndef MUTANT_TAIL_LOAD_RELAXED
#define MUTANT_TAIL_LOAD_RELAXED 0
#endif
#ifndef MUTANT_FIRST_TAG_FIRST
#define MUTANT_FIRST_TAG_FIRST 0
#endif
#ifndef MUTANT_NO_SECOND_LOOK
#define MUTANT_NO_SECOND_LOOK 0
#endif
#ifndef MUTANT_RELEASE_EARLY
#define MUTANT_RELEASE_EARLY 0
#endif
#ifndef MUTANT_WATERMARK_EARLY
#define MUTANT_WATERMARK_EARLY 0
#endif
#ifndef MUTANT_LEAVE_RELAXED
#define MUTANT_LEAVE_RELAXED 0
#endif
#ifndef MUTANT_RECLAIM_HELD
#define MUTANT_RECLAIM_HELD 0
#endif
#ifndef MUTANT_FULL_UNLOCKED
#define MUTANT_FULL_UNLOCKED 0
#endif
#ifndef MUTANT_FULL_FREED
#define MUTANT_FULL_FREED 0
#endif

#endif
