"""The machine, the versions, child processes with their peak memory, and what a figure is."""

from __future__ import annotations

import os
import platform
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

VEDETTE = str(Path(sys.executable).with_name("vedette"))


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value. `baseline` is timed in the same run; `ratio` is value / baseline, and a higher ratio is
    better where `more_is_better`. `must` and `goal` are the design's figures for two cores."""

    name: str
    value: float
    unit: str
    baseline: float | None = None
    must: float | None = None
    goal: float | None = None
    more_is_better: bool = True
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        return self.value / self.baseline if self.baseline else None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"ratio": self.ratio}

    def line(self) -> str:
        parts = [
            f"{self.name}: {self.value:,.4g} {self.unit}"
            if self.value < 1000
            else f"{self.name}: {self.value:,.0f} {self.unit}"
        ]
        if self.ratio is not None:
            parts.append(f"ratio to baseline {self.ratio:.3f}")
        if self.must is not None:
            parts.append(f"must {self.must:,g}")
        if self.goal is not None:
            parts.append(f"goal {self.goal:,g}")
        parts += [f"{name} {value}" for name, value in self.details.items()]
        return " · ".join(parts)


@dataclass(frozen=True, slots=True)
class Finished:
    """A child process that ended."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    output: str


def describe_machine() -> dict[str, Any]:
    return {
        "cpus": os.cpu_count(),
        "usable_cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "platform": platform.platform(terse=True),
        "processor": _processor(),
        "python": platform.python_version(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "versions": {name: version(name) for name in ("vedette", "polars", "duckdb", "fastapi", "uvicorn")},
    }


def shared_data() -> Path:
    """The reference data, which need not be there: beside the checkout, or where VEDETTE_SHARED_DATA says."""
    return Path(os.environ.get("VEDETTE_SHARED_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")


def run_child(command: Sequence[str]) -> Finished:
    """Run to the end; raises when it fails. The peak is the kernel's own account of that process."""
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        output = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in (0, 1):
        raise SystemExit(f"{' '.join(command)} ended with status {child.returncode}:\n{output}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Finished(time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit, output)


@contextmanager
def running_server(data_dir: Path, *paths: str, start: str = "end") -> Iterator[tuple[str, int]]:
    """A Vedette server on a free loopback port: (address, process id)."""
    port = free_port()
    command = [VEDETTE, "serve", *paths, "--from", start, "--port", str(port), "--data-dir", str(data_dir)]
    log = (data_dir.parent / f"{data_dir.name}.log").open("w")
    with log, subprocess.Popen([*command, "--log-level", "warning"], stdout=log, stderr=log) as server:
        try:
            wait_for_port(port, server)
            yield f"127.0.0.1:{port}", server.pid
        finally:
            server.terminate()
            server.wait(30)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, server: subprocess.Popen[bytes], *, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise SystemExit(f"the server ended with status {server.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit(f"the server did not listen on port {port} within {seconds} s")


def own_peak_bytes() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor()
