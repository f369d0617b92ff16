"""`make race`: lock-free code under ThreadSanitizer, and the mutants that must be caught.

Builds the modules that need no lock, and the races of this directory, with -fsanitize=thread in a
temporary directory: once clean, where ThreadSanitizer and checkers must be silent, and once for
each mutant of mutants.py, where one of them must not be. `--engine` adds the whole engine, with the
test that finds every acknowledged point exactly once. Prints a table; exits 1 if anything was
otherwise.

ThreadSanitizer sees the orders that the code asks for, not those that the processor happens to
keep, so it finds on x86-64 what would fail elsewhere, and what the compiler may do here one day.
"""

import sys
import tempfile
import time
from pathlib import Path

from race.mutants import MUTANTS
from race.workshop import Workshop, has_sanitizer

# Points of each producer, turns of the writers, seconds. A clean build runs twice. A mutant is
# given several runs: it shows when threads meet, and on a busy machine they may miss each other.
SIZES = {"ring": 40_000, "epoch": 40_000, "engine": 4}
CLEAN_RUNS = 2
MUTANT_RUNS = 15


def run_races(workshop: Workshop, races: list[str]) -> int:
    """Returns how many verdicts were not as they must be."""
    failed = 0
    workshop.cythonize()
    workshop.build_clean()
    for race in races:
        for _ in range(CLEAN_RUNS):
            began = time.monotonic()
            outcome = workshop.run("clean", race, SIZES[race])
            report("clean", race, outcome.caught_by or "silent", began, "must be silent")
            if outcome.caught_by:
                failed += 1
                print(outcome.text)
    for mutant in MUTANTS:
        if mutant.race not in races:
            continue
        workshop.build_mutant(mutant)
        began = time.monotonic()
        for _ in range(MUTANT_RUNS):
            outcome = workshop.run(mutant.variant, mutant.race, SIZES[mutant.race])
            if outcome.caught_by:
                break
        report(mutant.name, mutant.race, outcome.caught_by or "NOT CAUGHT", began, mutant.bug)
        failed += not outcome.caught_by
        workshop.drop(mutant.variant)
    return failed


def report(variant: str, race: str, verdict: str, began: float, text: str) -> None:
    seconds = time.monotonic() - began
    print(f"{variant:<20} {race:<7} {verdict:<17} {seconds:5.1f}  {text}", flush=True)


def main() -> int:
    if not has_sanitizer():
        print("make race needs gcc and its ThreadSanitizer library (libtsan).", file=sys.stderr)
        return 2
    print(f"{'variant':<20} {'race':<7} {'verdict':<17} {'s':>5}  what it is", flush=True)
    with tempfile.TemporaryDirectory(prefix="urpo-race-") as directory:
        failed = run_races(Workshop(Path(directory)), ["ring", "epoch"])
    if "--engine" in sys.argv:
        with tempfile.TemporaryDirectory(prefix="urpo-race-") as directory:
            failed += run_races(Workshop(Path(directory), whole=True), ["engine"])
    print(f"{failed} not as they must be" if failed else "all as they must be")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
