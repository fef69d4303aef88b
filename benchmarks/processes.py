"""Run programs as whole processes and read what the kernel says of them: time, memory, spill.

This module and its callers import nothing heavy: a child process starts with the peak memory of
the process that made it, so a large parent would hide what a small child needs.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Measured", "machine", "measure", "versions"]

_PACKAGES = (
    "evalkit-search",
    "duckdb",
    "narwhals",
    "numpy",
    "pyarrow",
    "pytrec_eval-terrier",
    "ir_measures",
    "ranx",
    "numba",
)


@dataclass(frozen=True)
class Measured:
    """One process from start to end.

    Attributes:
        wall: seconds on the clock.
        cpu: seconds of processor time, user and system, all threads and children.
        memory: largest resident set in bytes.
        spilled: largest size of its temporary files in bytes, looked at every 0.1 s.
        code: exit code; negative for a signal.
        output: standard output.
        error: standard error.
    """

    wall: float
    cpu: float
    memory: int
    spilled: int
    code: int
    output: str
    error: str


def _size(folder: Path) -> int:
    total = 0
    for root, _, files in os.walk(folder):
        for name in files:
            try:
                total += os.stat(os.path.join(root, name)).st_blocks * 512
            except OSError:  # removed meanwhile
                continue
    return total


def measure(command: Sequence[str], temporary: Path) -> Measured:
    """Run one program to its end, with `temporary` as the place of its temporary files.

    Args:
        command: program and arguments.
        temporary: folder under which TMPDIR is made and removed; on a disk, not in memory.
    """
    largest = 0
    done = threading.Event()

    def watch(folder: Path) -> None:
        nonlocal largest
        while not done.wait(0.1):
            largest = max(largest, _size(folder))

    with (
        tempfile.TemporaryDirectory(dir=temporary) as folder,
        tempfile.TemporaryFile() as output,
        tempfile.TemporaryFile() as error,
    ):
        watcher = threading.Thread(target=watch, args=(Path(folder),))
        watcher.start()
        start = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=output, stderr=error, env={**os.environ, "TMPDIR": folder}
        )
        # wait4 tells of this child alone; RUSAGE_CHILDREN would add up all earlier ones.
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        done.set()
        watcher.join()
        output.seek(0)
        error.seek(0)
        return Measured(
            wall,
            usage.ru_utime + usage.ru_stime,
            usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
            largest,
            process.returncode,
            output.read().decode(errors="replace"),
            error.read().decode(errors="replace"),
        )


def _field(path: str, name: str) -> str | None:
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), None)


def machine() -> dict[str, Any]:
    """Tell processor, cores, memory, system and the load of the last minute."""
    affinity = getattr(os, "sched_getaffinity", None)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": _field("/proc/cpuinfo", "model name") or platform.processor() or "unknown",
        "cores": len(affinity(0)) if affinity else os.cpu_count(),
        "memory_gb": round(memory / 1e9, 1),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "load_average": round(os.getloadavg()[0], 2),
    }


def versions(python: str, packages: Sequence[str] = _PACKAGES) -> dict[str, str]:
    """Tell the version of an interpreter and of those packages that it has."""
    code = (
        "import importlib.metadata as m, json, platform, sys\n"
        "found = {'python': platform.python_version()}\n"
        "for name in sys.argv[1:]:\n"
        "    try: found[name] = m.version(name)\n"
        "    except m.PackageNotFoundError: pass\n"
        "print(json.dumps(found))"
    )
    done = subprocess.run(
        [python, "-c", code, *packages], capture_output=True, text=True, check=False
    )
    return dict(json.loads(done.stdout)) if done.returncode == 0 else {}
