"""Records this machine's own metrics: `python record_infrastructure.py SECONDS OUT.npz`.

Once a second: CPU times, memory, virtual memory events, disks, network and load of the host, and CPU
time, memory, faults and switches of the busiest processes, some 490 series in all. Written as the
kernel says them (counts as they are, CPU time in seconds as OpenTelemetry has it), with the times of
reading, which jitter as those of any exporter do. data/infrastructure.npz is ten minutes of a
two-core virtual machine that was compiling and testing; docs/performance.md means it by "the
infrastructure mix".

Arrays: names (n strings), times (m int64, Unix nanoseconds), values (m x n float64).
"""

import contextlib
import sys
import time
from pathlib import Path

import numpy as np

PROC = Path("/proc")
TICKS = 100  # CPU times are in hundredths of a second
CPU_STATES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
PROCESSES = 12


def host() -> dict[str, float]:
    found: dict[str, float] = {}
    for line in (PROC / "stat").read_text().splitlines():
        name, *fields = line.split()
        if name.startswith("cpu"):
            for state, field in zip(CPU_STATES, fields, strict=False):
                found[f"system.cpu.time{{{name},{state}}}"] = int(field) / TICKS
        elif name in ("ctxt", "processes", "procs_running", "procs_blocked"):
            found[f"system.{name}"] = int(fields[0])
        elif name in ("intr", "softirq"):
            for index, field in enumerate(fields[:12]):
                found[f"system.{name}{{{index}}}"] = int(field)
    for line in (PROC / "meminfo").read_text().splitlines():
        name, value, *unit = line.replace(":", "").split()
        found[f"system.memory{{{name}}}"] = int(value) * (1024 if unit else 1)
    for line in (PROC / "vmstat").read_text().splitlines():
        name, value = line.split()
        found[f"system.vm{{{name}}}"] = int(value)
    for line in (PROC / "diskstats").read_text().splitlines():
        _, _, device, *fields = line.split()
        if any(field != "0" for field in fields):
            for index, field in enumerate(fields[:11]):
                found[f"system.disk{{{device},{index}}}"] = int(field)
    for line in (PROC / "net/dev").read_text().splitlines()[2:]:
        device, fields_text = line.split(":")
        for index, field in enumerate(fields_text.split()):
            found[f"system.network{{{device.strip()},{index}}}"] = int(field)
    for index, field in enumerate((PROC / "loadavg").read_text().split()[:3]):
        found[f"system.load{{{index}}}"] = float(field)
    return found


def process(pid: str) -> dict[str, float]:
    text = (PROC / pid / "stat").read_text()
    fields = text[text.rindex(")") + 2 :].split()
    found = {
        f"process.cpu.time{{{pid},user}}": int(fields[11]) / TICKS,
        f"process.cpu.time{{{pid},system}}": int(fields[12]) / TICKS,
        f"process.faults{{{pid},minor}}": int(fields[7]),
        f"process.faults{{{pid},major}}": int(fields[9]),
        f"process.threads{{{pid}}}": int(fields[17]),
        f"process.memory.virtual{{{pid}}}": int(fields[20]),
        f"process.memory.usage{{{pid}}}": int(fields[21]) * 4096,
    }
    for line in (PROC / pid / "status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.endswith("ctxt_switches") or name.startswith("Rss"):
            found[f"process.{name}{{{pid}}}"] = int(value.split()[0])
    return found


def busiest() -> list[str]:
    def used(pid: str) -> int:
        text = (PROC / pid / "stat").read_text()
        fields = text[text.rindex(")") + 2 :].split()
        return int(fields[11]) + int(fields[12])

    pids = [path.name for path in PROC.iterdir() if path.name.isdigit()]
    return sorted(pids, key=used, reverse=True)[:PROCESSES]


def record(seconds: int, out: str) -> None:
    pids = busiest()
    names = [*host(), *(name for pid in pids for name in process(pid))]
    times = np.empty(seconds, np.int64)
    values = np.empty((seconds, len(names)))
    row = np.zeros(len(names))
    begin = time.monotonic()
    for second in range(seconds):
        time.sleep(max(0.0, begin + second - time.monotonic()))
        times[second] = time.time_ns()
        found = host()
        for pid in pids:
            # Of a process that has ended the series keep their last values.
            with contextlib.suppress(OSError):
                found |= process(pid)
        for index, name in enumerate(names):
            row[index] = found.get(name, row[index])
        values[second] = row
    np.savez_compressed(out, names=np.array(names), times=times, values=values)


if __name__ == "__main__":
    record(int(sys.argv[1]), sys.argv[2])
