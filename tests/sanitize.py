"""`make sanitize`: the tests of engine and queries under AddressSanitizer and UBSan.

    python tests/sanitize.py DIRECTORY [pytest arguments]

Copies the project's files to DIRECTORY, builds them there with both sanitizers, and runs the tests there.
Only our modules are instrumented; the interpreter is the usual one, with malloc of its own switched off,
so that each object is a block that AddressSanitizer knows.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
# Python's own flags make signed overflow defined, which would blind UBSan to it. Unaligned loads are
# memcpy in our sources; what is left of that check is noise from the interpreter's headers.
FLAGS = (
    "-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all"
    " -fstrict-overflow -fno-wrapv"
)
TESTS = (
    "tests/engine",
    "tests/query",
    "tests/otlp",
    "tests/test_store.py",
    "tests/test_captured.py",
    "tests/test_limits.py",
    "tests/test_exactly_once.py",
    "tests/test_out_of_memory.py",
    "tests/fuzz/test_corpus.py",
)
# Not here: tests that count allocations, bytes or futex calls, or make malloc fail (the sanitizer's
# allocator has locks, and must be the only one that is preloaded).
LEFT_OUT = (
    "tests/engine/test_allocations.py",
    "tests/engine/test_futex.py",
    "tests/engine/test_store.py",
)


def library(compiler: str, name: str) -> str:
    command = [compiler, f"-print-file-name={name}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def main(directory: str, *arguments: str) -> int:
    place = Path(directory)
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    )
    for name in listed.stdout.decode().splitlines():
        target = place / name
        target.parent.mkdir(parents=True, exist_ok=True)
        source = ROOT / name
        if source.exists() and not (target.exists() and target.read_bytes() == source.read_bytes()):
            shutil.copy(source, target)
    environment = dict(os.environ, CFLAGS=FLAGS)
    build = [sys.executable, "setup.py", "-q", "build_ext", "--inplace", "-j2"]
    subprocess.run(build, cwd=place, env=environment, check=True)
    environment = dict(
        os.environ,
        LD_PRELOAD=f"{library('gcc', 'libasan.so')} {library('g++', 'libstdc++.so')}",
        PYTHONMALLOC="malloc",
        ASAN_OPTIONS="detect_leaks=0:allocator_may_return_null=1",
        UBSAN_OPTIONS="print_stacktrace=1",
        OPENBLAS_NUM_THREADS="1",
        URPO_TEST_SECONDS="2",
    )
    # -s: or pytest would keep what a sanitizer says before it aborts.
    command = [sys.executable, "-m", "pytest", "-s", "-q", "-p", "no:cacheprovider"]
    command += [f"--ignore={name}" for name in LEFT_OUT]
    return subprocess.run([*command, *(arguments or TESTS)], cwd=place, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
