"""The bugs that `make race` plants, one at a time, and must catch.

A mutant is a macro in urpo_store/engine/memory/mutants.h, 0 in every other build. To add one: the macro
there, the bug behind it where it belongs, and a line here.

Not here are the two fences of the ring and the full order of epochs. ThreadSanitizer does not model
them, and x86-64 keeps most of them by itself: nothing here could tell with any certainty whether
they stand. ring.pyx and memory/epoch.pyx argue for them instead.
"""

from typing import NamedTuple

ENGINE = "urpo_store/engine"
RING = f"{ENGINE}/ring"
EPOCH = f"{ENGINE}/memory/epoch"
DRAIN = f"{ENGINE}/drain"
GATHER = f"{ENGINE}/gather"
FULL_TAILS = f"{ENGINE}/chunks/full_tails"


class Mutant(NamedTuple):
    name: str  # MUTANT_<name> in mutants.h
    race: str  # the race that catches it: RACES in race.py
    module: str  # what has to be compiled again
    bug: str

    @property
    def variant(self) -> str:
        return f"{self.name}-{self.race}"


MUTANTS = [
    Mutant("TAG_STORE_RELAXED", "ring", RING, "a tag is stored without release"),
    Mutant("TAG_LOAD_RELAXED", "ring", RING, "a tag is loaded without acquire"),
    Mutant("TAIL_STORE_RELAXED", "ring", RING, "the drain moves tail without release"),
    Mutant("TAIL_LOAD_RELAXED", "ring", RING, "a producer loads tail without acquire"),
    Mutant("FIRST_TAG_FIRST", "ring", RING, "a claim is committed before all of it is tagged"),
    Mutant("NO_SECOND_LOOK", "ring", RING, "a reader does not look at tail after it copied"),
    Mutant("RELEASE_EARLY", "ring", "ring_race", "tail is moved before the points are read"),
    Mutant("WATERMARK_EARLY", "ring", "ring_race", "tail is shown before the append"),
    Mutant("LEAVE_RELAXED", "epoch", EPOCH, "an epoch is left without release"),
    Mutant("RECLAIM_HELD", "epoch", EPOCH, "items are freed though a reader is inside"),
    Mutant("RELEASE_EARLY", "engine", DRAIN, "tail is moved before the points are appended"),
    Mutant(
        "WATERMARK_EARLY", "engine", GATHER, "the watermark is ahead of the chunks taken with it"
    ),
    Mutant("FULL_UNLOCKED", "engine", FULL_TAILS, "a chunk is put in its place without the lock"),
    Mutant("FULL_FREED", "engine", FULL_TAILS, "a stream is freed though a reader may be at it"),
]
