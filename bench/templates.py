"""Templates of messages: how well they group, and lines a second of the mining stage alone.

Grouping accuracy (Zhu et al.): the share of messages whose group has exactly the members people gave it. F1 is that
of pairs of messages in one group. Both are of the templates the messages have once all were read in batches of 500;
`as_they_came` is the accuracy of the ids the events were stored with.
"""

from __future__ import annotations

import csv
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import polars as pl
from bench.loggen import generate
from bench.machine import Figure, shared_data

from vedette.formats import FormatEngine, load_library
from vedette.formats.templates import TemplateMiner
from vedette.model.entries import ENTRY_SCHEMA, EntryBatch
from vedette.model.events import EVENT_SCHEMA

LINES = 1_000_000
LINES_PER_BATCH = 50_000
ONLINE_BATCH = 500
RUNS = 3
ACCURACY_MUST, ACCURACY_GOAL = 0.85, 0.95
LINES_PER_SECOND_MUST = 200_000
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def run(folder: Path, scale: float) -> list[Figure]:
    lines = max(10_000, int(LINES * scale))
    figures = []
    loghub = shared_data() / "loghub"
    if loghub.is_dir():
        systems = {path.name: structured(path) for path in sorted(loghub.iterdir()) if path.is_dir()}
        figures += accuracies(systems)
        figures.append(speed("LogHub OpenSSH repeated", systems["OpenSSH"][0], lines))
        figures.append(speed("LogHub, all systems mixed", [line for one, _ in systems.values() for line in one], lines))
    log = folder / "mixed.log"
    generate(log, 20_000, seed=1)
    figures.append(speed("generated mixed", messages_of(log), lines))
    return figures


def structured(folder: Path) -> tuple[list[str], list[str]]:
    """Messages of a system, and the names of their right templates."""
    with (folder / f"{folder.name}_2k.log_structured.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row["Content"] for row in rows], [row["EventId"] for row in rows]


def accuracies(systems: dict[str, tuple[list[str], list[str]]]) -> list[Figure]:
    figures = []
    for name, (messages, right) in systems.items():
        miner = TemplateMiner()
        stored: list[str] = []
        for start in range(0, len(messages), ONLINE_BATCH):
            stored += miner.assign(events(messages[start : start + ONLINE_BATCH]))["template.id"].to_list()
        final = [template.id if (template := miner.template(one)) else one for one in stored]
        figures.append(
            Figure(
                f"{name}: grouping accuracy",
                grouping_accuracy(final, right),
                "",
                must=ACCURACY_MUST,
                goal=ACCURACY_GOAL,
                details={
                    "f1": round(grouping_f1(final, right), 4),
                    "as_they_came": round(grouping_accuracy(stored, right), 4),
                    "templates": len(set(final)),
                    "right": len(set(right)),
                },
            )
        )
    mean = sum(figure.value for figure in figures) / len(figures)
    return [*figures, Figure("average grouping accuracy", mean, "", must=ACCURACY_GOAL)]


def grouping_accuracy(found: Sequence[str], right: Sequence[str]) -> float:
    groups: defaultdict[str, set[int]] = defaultdict(set)
    wanted: defaultdict[str, set[int]] = defaultdict(set)
    for row, (group, name) in enumerate(zip(found, right, strict=True)):
        groups[group].add(row)
        wanted[name].add(row)
    return sum(len(rows) for rows in wanted.values() if groups[found[min(rows)]] == rows) / len(right)


def grouping_f1(found: Sequence[str], right: Sequence[str]) -> float:
    def pairs(groups: Counter[tuple[str, ...]]) -> int:
        return sum(size * (size - 1) // 2 for size in groups.values())

    both = pairs(Counter(zip(found, right, strict=True)))
    return 2 * both / (pairs(Counter(zip(found))) + pairs(Counter(zip(right))) or 1)


def speed(name: str, messages: Sequence[str], lines: int) -> Figure:
    """The median of a few runs, each with its baseline: blank out digits, and count what is left."""
    frame = pl.concat([events(messages)] * (lines // len(messages) + 1)).head(lines)
    pieces = [frame.slice(start, LINES_PER_BATCH).rechunk() for start in range(0, lines, LINES_PER_BATCH)]
    runs = []
    for _ in range(RUNS):
        miner = TemplateMiner()
        started = time.perf_counter()
        for piece in pieces:
            miner.assign(piece)
        mined = time.perf_counter()
        for piece in pieces:
            piece["message"].str.replace_all(r"[0-9]+", "0").value_counts()
        runs.append((mined - started, time.perf_counter() - mined))
    runs.sort(key=lambda run: run[0] / run[1])
    seconds, bare = runs[len(runs) // 2]
    return Figure(
        f"{name}: mining", lines / seconds, "lines/s", baseline=lines / bare, must=LINES_PER_SECOND_MUST, goal=1_000_000
    )


def events(messages: Sequence[str]) -> pl.DataFrame:
    known = {
        "@timestamp": pl.lit(NOW),
        "event.ingested": pl.lit(NOW),
        "message": pl.col("message"),
        "log.format": pl.lit("bench"),
    }
    return pl.DataFrame({"message": messages}).select(
        known.get(name, pl.lit(None)).cast(dtype).alias(name) for name, dtype in EVENT_SCHEMA.items()
    )


def messages_of(log: Path) -> list[str]:
    with log.open(encoding="utf-8") as file:
        lines = [line.rstrip("\n") for line in islice(file, 20_000)]
    frame = pl.DataFrame(
        {"offset": 0, "length": 1, "text": lines, "flags": 0, "hash": None}, schema=ENTRY_SCHEMA, strict=False
    )
    batch = EntryBatch("bench", 1, str(log), frame, None, 0, NOW, NOW)
    return FormatEngine(load_library()).decode([batch])["message"].to_list()
