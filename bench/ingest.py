"""File to committed: lines a second, time by stage, peak memory, bytes stored for each byte read."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from bench.corpus import interleave, write_files
from bench.loggen import generate
from bench.machine import VEDETTE, Figure, Finished, run_child, shared_data

LINES = 1_000_000
PEAK_MUST_MB = 700
RUNS = 3


def run(folder: Path, scale: float) -> list[Figure]:
    lines = max(10_000, int(LINES * scale))
    figures = []
    openssh = openssh_log(folder, lines)
    if openssh is not None:
        figures += measure(folder, openssh, "LogHub OpenSSH repeated", lines)
    for kind in ("auth", "mixed"):
        log = folder / f"{kind}.log"
        generate(log, lines, seed=1, kind=kind)
        figures += measure(folder, log, f"generated {kind}", lines)
    files = write_files(folder / "ten", lines)
    figures += measure(folder, folder / "ten", "ten files in ten formats", lines, must=150_000)
    interleave(files, folder / "interleaved.log")
    figures += measure(folder, folder / "interleaved.log", "ten formats in one file", lines, must=150_000)
    return figures


def openssh_log(folder: Path, lines: int) -> Path | None:
    """The OpenSSH log repeated to `lines`, where the reference data lies beside the checkout."""
    original = shared_data() / "loghub" / "OpenSSH" / "OpenSSH_2k.log"
    if not original.exists():
        return None
    distinct = original.read_bytes().replace(b"\r\n", b"\n").rstrip(b"\n").split(b"\n")
    log = folder / "openssh.log"
    with log.open("wb") as file:
        for start in range(0, lines, len(distinct)):
            file.write(b"\n".join(distinct[: lines - start]) + b"\n")
    return log


def measure(folder: Path, log: Path, name: str, lines: int, *, must: int = 200_000) -> list[Figure]:
    """The median of a few imports, each paired with the baseline of the same moment."""
    pairs = [(once(folder, log, number), baseline(folder, log, number)) for number in range(RUNS)]
    pairs.sort(key=lambda pair: pair[0][0].seconds / pair[1])
    (finished, summary, stored), bare = pairs[len(pairs) // 2]
    stages = {stage: round(seconds, 2) for stage, seconds in summary["seconds_by_stage"].items()}
    return [
        Figure(
            f"{name}: file to committed",
            lines / summary["seconds"],
            "lines/s",
            baseline=lines / bare,
            must=must,
            goal=400_000,
            details={
                "seconds_by_stage": stages,
                "whole_process_seconds": round(finished.seconds, 2),
                "cpu_seconds": round(finished.cpu_seconds, 2),
                "runs_lines_per_s": [round(lines / run[1]["seconds"]) for run, _ in pairs],
            },
        ),
        Figure(f"{name}: peak memory", finished.peak_bytes / 1e6, "MB", must=PEAK_MUST_MB, more_is_better=False),
        Figure(
            f"{name}: stored bytes / raw bytes",
            stored / sum(file.stat().st_size for file in _files_of(log)),
            "",
            must=0.35,
            goal=0.15,
            more_is_better=False,
        ),
    ]


def _files_of(log: Path) -> list[Path]:
    return sorted(log.iterdir()) if log.is_dir() else [log]


def once(folder: Path, log: Path, number: int) -> tuple[Finished, dict[str, Any], int]:
    data = folder / f"data-{log.stem}-{number}"
    finished = run_child([VEDETTE, "import", str(log), "--data-dir", str(data), "--output", "json"])
    stored = sum(file.stat().st_size for file in data.glob("events.duckdb*"))
    return finished, json.loads(finished.output), stored


def baseline(folder: Path, log: Path, number: int) -> float:
    database = folder / f"baseline-{log.stem}-{number}.duckdb"
    finished = run_child([sys.executable, "-m", "bench.baseline", str(database), *map(str, _files_of(log))])
    return float(json.loads(finished.output)["seconds"])
