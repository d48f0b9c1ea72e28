"""What this process takes of the machine."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import psutil

from vedette.model.clock import Clock


@dataclass(frozen=True, slots=True)
class ProcessFigures:
    """`cpu_percent` is of one core since the last reading; `disk_*` speak of the data folder's file system."""

    rss_bytes: int
    cpu_percent: float
    open_files: int
    threads: int
    uptime_seconds: float
    disk_free_bytes: int
    disk_total_bytes: int


class ProcessProbe:
    """Reads the figures; costs well under a millisecond. `data_dir` must exist."""

    def __init__(self, data_dir: Path, clock: Clock) -> None:
        self._data_dir = data_dir
        self._clock = clock
        self._started = clock.monotonic()
        self._process = psutil.Process()
        self._process.cpu_percent()

    def read(self) -> ProcessFigures:
        """The figures now."""
        disk = shutil.disk_usage(self._data_dir)
        with self._process.oneshot():
            return ProcessFigures(
                rss_bytes=self._process.memory_info().rss,
                cpu_percent=self._process.cpu_percent(),
                open_files=self._process.num_fds(),
                threads=self._process.num_threads(),
                uptime_seconds=round(self._clock.monotonic() - self._started, 3),
                disk_free_bytes=disk.free,
                disk_total_bytes=disk.total,
            )
