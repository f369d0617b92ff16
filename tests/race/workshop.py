"""Builds variants of the engine and of the races, with a sanitizer or a mutant, and runs them."""

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from race.mutants import ENGINE, Mutant

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
SANITIZE = ("-O1", "-g1", "-fsanitize=thread")
TSAN_EXIT = 66
SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")

# Modules go by their paths, without suffix, from where `urpo_store` lies.
LOCK_FREE = (f"{ENGINE}/memory/alloc", f"{ENGINE}/memory/epoch", f"{ENGINE}/ring")
RACE_MODULES = {"ring": "ring_race", "epoch": "epoch_race"}
# What the race "engine" imports beside the package, by its path below tests/.
DRIVERS = ("drivers/engine",)


class Outcome(NamedTuple):
    caught_by: str  # "" when everything was silent
    text: str


class Workshop:
    """A directory with the C of some modules, from which variants are built and run.

    :param whole: the whole package, for the race "engine". Otherwise only what needs no lock, in a
        package that imports nothing else, and the races on it.
    """

    def __init__(
        self, directory: Path, *, whole: bool = False, flags: tuple[str, ...] = SANITIZE
    ) -> None:
        self.directory = directory
        self.whole = whole
        self.flags = flags
        self.environment = dict(os.environ, PYTHONDONTWRITEBYTECODE="1")
        if any("thread" in flag for flag in flags):
            self.environment["LD_PRELOAD"] = library("libtsan.so")
            self.environment["TSAN_OPTIONS"] = f"halt_on_error=1 exitcode={TSAN_EXIT}"

    @property
    def modules(self) -> tuple[str, ...]:
        if not self.whole:
            return (*LOCK_FREE, *RACE_MODULES.values())
        sources = (ROOT / "urpo_store").rglob("*.pyx")
        modules = sorted(str(path.relative_to(ROOT).with_suffix("")) for path in sources)
        return (*modules, *DRIVERS)

    def cythonize(self) -> None:
        """Writes the C."""
        place = self.directory / "c"
        self.begin("c")
        if not self.whole:
            shutil.copytree(ROOT / ENGINE, place / ENGINE, ignore=built, dirs_exist_ok=True)
            for source in HERE.glob("*.pyx"):
                shutil.copy(source, place)
        command = [sys.executable, "-m", "cython", "-3", "--line-directives"]
        command += [f"{module}.pyx" for module in self.modules]
        subprocess.run(command, cwd=place, check=True)

    def begin(self, variant: str) -> Path:
        """Makes a package to compile into, and returns the engine's directory in it."""
        place = self.directory / variant
        package = place / "urpo_store"
        if self.whole:
            shutil.copytree(ROOT / "urpo_store", package, ignore=built)
            for driver in DRIVERS:
                source = (ROOT / "tests" / driver).with_suffix(".pyx")
                (place / driver).parent.mkdir(exist_ok=True)
                shutil.copy(source.parent / "__init__.py", (place / driver).parent)
                shutil.copy(source, (place / driver).parent)
        else:
            rooms = sorted({(place / module).parent for module in LOCK_FREE})
            for path in (package, *rooms):
                path.mkdir(parents=True, exist_ok=True)
                for name in ("__init__.py", "__init__.pxd"):
                    (path / name).touch()
        return place / ENGINE

    def compile(self, module: str, variant: str, mutant: str | None = None) -> None:
        """Compiles one module into a variant."""
        out = (self.directory / variant / module).with_suffix(SUFFIX)
        command = ["gcc", "-shared", "-fPIC", "-pthread", "-w", *self.flags]
        command += [f"-I{ROOT / ENGINE / 'memory'}", f"-I{sysconfig.get_paths()['include']}"]
        if mutant is not None:
            command.append(f"-DMUTANT_{mutant}=1")
        command += ["-o", str(out), f"{module}.c", "-lm"]
        subprocess.run(command, cwd=self.directory / "c", check=True)

    def build_clean(self, modules: Iterable[str] | None = None) -> None:
        self.begin("clean")
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda module: self.compile(module, "clean"), modules or self.modules))

    def build_mutant(self, mutant: Mutant) -> None:
        shutil.copytree(self.directory / "clean", self.directory / mutant.variant)
        self.compile(mutant.module, mutant.variant, mutant.name)

    def drop(self, variant: str) -> None:
        shutil.rmtree(self.directory / variant)

    def run(self, variant: str, race: str, size: int) -> Outcome:
        place = self.directory / variant
        environment = dict(self.environment, PYTHONPATH=str(place))
        command = [*same_addresses(), sys.executable, str(HERE / "race.py"), race, str(size)]
        done = subprocess.run(
            command, cwd=place, env=environment, capture_output=True, text=True, timeout=300
        )
        text = done.stdout + done.stderr
        if done.returncode == 0:
            return Outcome("", text)
        if done.returncode == TSAN_EXIT:
            return Outcome("ThreadSanitizer", text)
        if done.returncode == 1 and " threads: " in done.stderr:
            return Outcome("checker", text)
        if done.returncode < 0 and variant != "clean":
            return Outcome(f"signal {-done.returncode}", text)
        raise RuntimeError(f"{variant}: exit code {done.returncode}\n{text}")


built = shutil.ignore_patterns("*.so", "*.c", "__pycache__")


def library(name: str) -> str:
    """The path of one of gcc's libraries; its name alone when gcc does not have it."""
    answer = subprocess.run(
        ["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=True
    )
    return answer.stdout.strip()


def has_sanitizer() -> bool:
    return shutil.which("gcc") is not None and os.path.isabs(library("libtsan.so"))


def same_addresses() -> list[str]:
    """`setarch -R`, where that works: ThreadSanitizer wants memory where it expects it."""
    if shutil.which("setarch") is None:
        return []
    command = ["setarch", "-R"]
    works = subprocess.run([*command, "true"], capture_output=True).returncode == 0
    return command if works else []
