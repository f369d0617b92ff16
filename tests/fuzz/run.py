"""`make fuzz`: libFuzzer on what comes from outside: requests, and the bytes of chunks.

    python tests/fuzz/run.py DIRECTORY [SECONDS]

Builds the engine in DIRECTORY with clang, coverage and AddressSanitizer, then runs libFuzzer for so many
seconds in all (60), on each target from the corpus that is committed. Inputs that find new branches stay
in DIRECTORY/corpus. Exits 1 if anything was found, or if the fuzzer did not get through.

  requests    the scanner and a store, against protobuf's decoder
  chunks      a chunk, its ticks and its layout, any of them damaged
"""

import ast
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FLAGS = "-O1 -g1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address"


def build(place: Path) -> Path:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    )
    for name in listed.stdout.decode().splitlines():
        source, target = ROOT / name, place / name
        if source.exists() and not (target.exists() and target.read_bytes() == source.read_bytes()):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    environment = dict(os.environ, CC="clang", LDSHARED="clang -shared", CFLAGS=FLAGS)
    command = [sys.executable, "setup.py", "-q", "build_ext", "--inplace", "-j2"]
    subprocess.run(command, cwd=place, env=environment, check=True)
    paths = sysconfig.get_paths()
    library = Path(sysconfig.get_config_var("LIBDIR") or "")
    version = sysconfig.get_config_var("LDVERSION")
    command = ["clang", "-O1", "-g1", "-fsanitize=fuzzer,address", f"-I{paths['include']}"]
    command += ["-o", str(place / "fuzz"), str(HERE / "fuzz.c"), f"-L{library}"]
    command += [f"-lpython{version}", f"-Wl,-rpath,{library}", "-Wl,--export-dynamic"]
    subprocess.run(command, check=True)
    return place / "fuzz"


# What a run must have counted, or it did not get through to what it is to test: see <target>_target.py.
TARGETS = {
    "requests": {"requests": 500, "points": 100},
    "chunks": {"whole": 300, "points": 10_000},
}
EDGES = {"requests": 1000, "chunks": 500}


def fuzz(place: Path, fuzzer: Path, target: str, seconds: int) -> bool:
    """Whether nothing was found and enough was reached."""
    corpus = place / "corpus" / target
    corpus.mkdir(parents=True, exist_ok=True)
    report = place / f"{target}.counts"
    report.unlink(missing_ok=True)
    environment = dict(
        os.environ,
        PYTHONPATH=os.pathsep.join([str(place), str(place / "tests"), str(HERE), *sys.path[1:]]),
        PYTHONMALLOC="malloc",
        ASAN_OPTIONS="detect_leaks=0:allocator_may_return_null=1",
        FUZZ_TARGET=f"{target}_target",
        FUZZ_REPORT=str(report),
        OPENBLAS_NUM_THREADS="1",
    )
    command = [str(fuzzer), f"-max_total_time={seconds}", "-max_len=4096", "-timeout=10"]
    command += ["-print_final_stats=1", f"-artifact_prefix={place}/", str(corpus)]
    command += [str(HERE / "corpus" / target)]
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True)
    text = done.stdout + done.stderr
    print("\n".join(text.splitlines()[-40:] if done.returncode else text.splitlines()[-12:]))
    if done.returncode:
        return False
    counts = ast.literal_eval(report.read_text())  # Missing: at_exit of fuzz.c did not run.
    covered = max((int(found) for found in re.findall(r"cov: (\d+)", text)), default=0)
    print(f"{target}: {counts}, {covered} edges")
    reached = covered > EDGES[target] and all(
        counts[name] > least for name, least in TARGETS[target].items()
    )
    if not reached:
        print(f"the fuzzer did not get through to what {target} are to test")
    return reached


def main(directory: str, seconds: str = "60") -> int:
    if shutil.which("clang") is None:
        print("make fuzz needs clang and its compiler-rt (Debian: clang libclang-rt-dev).")
        return 2
    place = Path(directory).resolve()
    fuzzer = build(place)
    share = max(int(seconds) // len(TARGETS), 1)
    return 0 if all([fuzz(place, fuzzer, target, share) for target in TARGETS]) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
