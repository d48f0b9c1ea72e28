"""Searching and counting many stored events, and starting with them."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.loggen import generate
from bench.machine import VEDETTE, Figure, percentile, run_child

from vedette.model.clock import SystemClock
from vedette.model.query import parse_query
from vedette.store import DuckDbStore

EVENTS = 10_000_000
FILES = 10
REPEATS = 20
QUERY = 'severity>=3 category:authentication "password" '


def run(folder: Path, scale: float) -> list[Figure]:
    data = folder / "data"
    events = max(100_000, int(EVENTS * scale))
    for number in range(FILES):
        log = folder / f"mixed-{number}.log"
        generate(log, events // FILES, seed=number, kind="mixed")
        run_child([VEDETTE, "import", str(log), "--data-dir", str(data), "--output", "json"])
        log.unlink()
    started = time.perf_counter()
    store = DuckDbStore.open(data, clock=SystemClock())
    opened = time.perf_counter() - started
    try:
        return [
            Figure(f"open a store of {events:,} events", opened, "s", must=5, goal=2, more_is_better=False),
            *measure(store, events),
        ]
    finally:
        store.close()


def measure(store: DuckDbStore, events: int) -> list[Figure]:
    span = store.stats()
    assert span.oldest is not None
    assert span.newest is not None
    middle = span.oldest + (span.newest - span.oldest) / 2
    now = datetime.now(UTC)
    within = f"@timestamp>={span.oldest.isoformat()} @timestamp<={middle.isoformat()}"
    page = parse_query(f"{QUERY} {within}", now=now)
    everything = parse_query("", now=now)
    interval = max((span.newest - span.oldest) / 100, timedelta(seconds=1))
    return [
        timed(f"page of 100 newest matching of {events:,}", lambda: store.search(page, limit=100), 400, 100),
        timed(f"histogram by severity of {events:,}", lambda: store.histogram(everything, interval=interval), 300, 100),
        timed(f"top 10 addresses of {events:,}", lambda: store.top(everything, "source.ip", limit=10), None, None),
    ]


def timed(name: str, call: object, must: float | None, goal: float | None) -> Figure:
    assert callable(call)
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        call()
        times.append((time.perf_counter() - started) * 1000)
    return Figure(
        name,
        percentile(times, 0.95),
        "ms p95",
        must=must,
        goal=goal,
        more_is_better=False,
        details={"p50_ms": round(percentile(times, 0.5), 1)},
    )
