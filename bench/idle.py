"""What watching a hundred quiet files costs: resident memory, and CPU of one core."""

from __future__ import annotations

import time
from pathlib import Path

import psutil
from bench.machine import Figure, running_server

FILES = 100
SECONDS = 30


def run(folder: Path, scale: float) -> list[Figure]:
    logs = folder / "logs"
    logs.mkdir()
    for number in range(FILES):
        (logs / f"service-{number}.log").write_text(f"2026-11-23T10:00:00Z INFO service {number} started\n")
    seconds = max(5.0, SECONDS * scale)
    with running_server(folder / "data", str(logs), start="beginning") as (_, pid):
        process = psutil.Process(pid)
        time.sleep(5)
        before = process.cpu_times()
        started = time.monotonic()
        time.sleep(seconds)
        after = process.cpu_times()
        elapsed = time.monotonic() - started
        resident = process.memory_info().rss
    used = after.user + after.system - before.user - before.system
    return [
        Figure("idle, 100 files: resident memory", resident / 1e6, "MB", must=300, goal=150, more_is_better=False),
        Figure("idle, 100 files: CPU of one core", used / elapsed * 100, "%", must=2, goal=0.5, more_is_better=False),
    ]
