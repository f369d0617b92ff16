"""`make race`: lock-free code under ThreadSanitizer, and the mutants that must be caught.

Builds the modules that need no lock, and the races of this directory, with -fsanitize=thread in a
temporary directory: once clean, where ThreadSanitizer and checkers must be silent, and once for
each mutant of mutants.py, where one of them must not be. Prints a table; exits 1 if anything was
otherwise.

ThreadSanitizer sees the orders that the code asks for, not those that the processor happens to
keep, so it finds on x86-64 what would fail elsewhere, and what the compiler may do here one day.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from race.mutants import MUTANTS

HERE = Path(__file__).parent
ENGINE = HERE.parent.parent / "urpo_store" / "engine"
MODULES = ("alloc", "epoch", "ring")
RACES = {"ring": "ring_race", "epoch": "epoch_race"}
SANITIZE = ("-O1", "-g1", "-fsanitize=thread")
TSAN_EXIT = 66
SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
# Points of each producer, turns of the writers. A mutant is given several runs: it shows when
# threads meet, and on a busy machine they may miss each other.
SIZES = {"ring": 40_000, "epoch": 40_000}
RUNS = 5


class Outcome(NamedTuple):
    caught_by: str  # "" when everything was silent
    text: str


class Workshop:
    """A directory with the C of all modules, from which variants are built and run."""

    def __init__(self, directory: Path, flags: tuple[str, ...] = SANITIZE) -> None:
        self.directory = directory
        self.flags = flags
        self.environment = dict(os.environ, PYTHONDONTWRITEBYTECODE="1")
        if any("thread" in flag for flag in flags):
            self.environment["LD_PRELOAD"] = library("libtsan.so")
            self.environment["TSAN_OPTIONS"] = f"halt_on_error=1 exitcode={TSAN_EXIT}"

    def cythonize(self) -> None:
        """Writes the C. The package there is the engine alone, and imports nothing else."""
        package = self.directory / "c" / "urpo_store"
        package.mkdir(parents=True)
        shutil.copytree(
            ENGINE, package / "engine", ignore=shutil.ignore_patterns("*.so", "*.c", "*.pyi")
        )
        for name in ("__init__.py", "__init__.pxd"):
            (package / name).touch()
        for source in HERE.glob("*.pyx"):
            shutil.copy(source, package.parent)
        sources = [f"urpo_store/engine/{name}.pyx" for name in MODULES]
        sources += [f"{name}.pyx" for name in RACES.values()]
        command = [sys.executable, "-m", "cython", "-3", "--line-directives", *sources]
        subprocess.run(command, cwd=package.parent, check=True)

    def compile(self, module: str, variant: str, mutant: str | None = None) -> None:
        """Compiles one module into a variant."""
        place = Path("urpo_store/engine") / module if module in MODULES else Path(module)
        out = (self.directory / variant / place).with_suffix(SUFFIX)
        out.parent.mkdir(parents=True, exist_ok=True)
        command = ["gcc", "-shared", "-fPIC", "-pthread", "-w", *self.flags, f"-I{ENGINE}"]
        command += [f"-I{sysconfig.get_paths()['include']}", "-o", str(out), f"{place}.c"]
        if mutant is not None:
            command.insert(1, f"-DMUTANT_{mutant}=1")
        subprocess.run(command, cwd=self.directory / "c", check=True)

    def begin(self, variant: str) -> Path:
        """A package to compile into."""
        package = self.directory / variant / "urpo_store" / "engine"
        package.mkdir(parents=True)
        for place in (package, package.parent):
            (place / "__init__.py").touch()
        return package

    def build_clean(self, *modules: str) -> None:
        self.begin("clean")
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda name: self.compile(name, "clean"), modules))

    def build_mutant(self, mutant: str, modules: tuple[str, ...]) -> None:
        shutil.copytree(self.directory / "clean", self.directory / mutant)
        for module in modules:
            self.compile(module, mutant, mutant)

    def run(self, variant: str, race: str, size: int) -> Outcome:
        environment = dict(self.environment, PYTHONPATH=str(self.directory / variant))
        command = [*NO_RANDOM_ADDRESSES, sys.executable, str(HERE / "race.py"), race, str(size)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
        text = done.stdout + done.stderr
        if done.returncode == 0:
            return Outcome("", text)
        if done.returncode == TSAN_EXIT or "ThreadSanitizer: data race" in text:
            return Outcome("ThreadSanitizer", text)
        if done.returncode == 1 and " threads: " in done.stderr:
            return Outcome("checker", text)
        if done.returncode < 0 and variant != "clean":
            return Outcome(f"signal {-done.returncode}", text)
        raise RuntimeError(f"{variant}: exit code {done.returncode}\n{text}")


def library(name: str) -> str:
    """The path of one of gcc's libraries; its name alone when gcc does not have it."""
    answer = subprocess.run(
        ["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=True
    )
    return answer.stdout.strip()


def has_sanitizer() -> bool:
    return shutil.which("gcc") is not None and os.path.isabs(library("libtsan.so"))


def can_keep_addresses() -> bool:
    """Whether `setarch -R` works here; ThreadSanitizer wants memory where it expects it."""
    if shutil.which("setarch") is None:
        return False
    return subprocess.run(["setarch", "-R", "true"], capture_output=True).returncode == 0


NO_RANDOM_ADDRESSES = ["setarch", "-R"] if can_keep_addresses() else []


def main() -> int:
    if not has_sanitizer():
        print("make race needs gcc and its ThreadSanitizer library (libtsan).", file=sys.stderr)
        return 2
    failed = 0
    with tempfile.TemporaryDirectory(prefix="urpo-race-") as directory:
        workshop = Workshop(Path(directory))
        workshop.cythonize()
        workshop.build_clean(*MODULES, *RACES.values())
        print(f"{'variant':<20} {'race':<6} {'verdict':<17} {'s':>5}  what it is")
        for race in RACES:
            for _ in range(2):
                began = time.monotonic()
                outcome = workshop.run("clean", race, SIZES[race])
                report("clean", race, outcome.caught_by or "silent", began, "must be silent")
                if outcome.caught_by:
                    failed += 1
                    print(outcome.text)
        for mutant in MUTANTS:
            workshop.build_mutant(mutant.name, mutant.modules)
            began = time.monotonic()
            for _ in range(RUNS):
                outcome = workshop.run(mutant.name, mutant.race, SIZES[mutant.race])
                if outcome.caught_by:
                    break
            report(mutant.name, mutant.race, outcome.caught_by or "NOT CAUGHT", began, mutant.bug)
            failed += not outcome.caught_by
            shutil.rmtree(workshop.directory / mutant.name)
    print(f"{failed} not as they must be" if failed else "all as they must be")
    return 1 if failed else 0


def report(variant: str, race: str, verdict: str, began: float, text: str) -> None:
    seconds = time.monotonic() - began
    print(f"{variant:<20} {race:<6} {verdict:<17} {seconds:5.1f}  {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
