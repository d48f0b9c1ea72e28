"""Events made for tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from vedette.model.events import EVENT_SCHEMA
from vedette.model.findings import Evidence, Finding
from vedette.model.positions import Position
from vedette.model.severity import SeverityFactor

START = datetime(2026, 11, 23, 10, tzinfo=UTC)


class SettableClock:
    """A clock that shows what it was told."""

    def __init__(self, now: datetime = START) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()


def event_frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """EVENT_SCHEMA with these columns, the others null. A time, an original and a place are filled in where missing:
    one event a second from START, 100 bytes apart in generation 1."""
    full = [
        dict.fromkeys(EVENT_SCHEMA)
        | {
            "@timestamp": START + timedelta(seconds=at),
            "event.ingested": START,
            "event.original": f"line {at}",
            "vedette.source": "auth",
            "vedette.generation": 1,
            "log.offset": at * 100,
            "event.severity": 2,
        }
        | row
        for at, row in enumerate(rows)
    ]
    return pl.DataFrame(full, schema=EVENT_SCHEMA, orient="row")


def numbered_events(count: int, *, first: int = 0, generation: int = 1) -> pl.DataFrame:
    """Events whose original says `line N`, a second apart, N from `first`; made by columns."""
    number = pl.int_range(first, first + count, dtype=pl.Int64, eager=True).alias("number").to_frame()
    made = number.select(
        (pl.lit(START) + pl.duration(seconds=pl.col("number"))).cast(EVENT_SCHEMA["@timestamp"]).alias("@timestamp"),
        pl.lit(START).cast(EVENT_SCHEMA["event.ingested"]).alias("event.ingested"),
        pl.format("line {}", "number").alias("event.original"),
        pl.format("{}", "number").alias("message"),
        pl.lit("auth").alias("vedette.source"),
        pl.lit(generation, dtype=pl.Int64).alias("vedette.generation"),
        (pl.col("number") * 100).alias("log.offset"),
        (pl.col("number") % 10 + 1).cast(pl.UInt8).alias("event.severity"),
    )
    return made.select(
        pl.col(name) if name in made.columns else pl.lit(None, dtype=dtype).alias(name)
        for name, dtype in EVENT_SCHEMA.items()
    )


def position(source: str = "auth", generation: int = 1, *, offset: int = 0) -> Position:
    """A position in a file of the source."""
    return Position(
        source, generation, f"/var/log/{source}.log", 7, 8, 4, "ab", offset, 3, "cd", "utf-8", START,
        first_modified_ns=5, modified_ns=6,
    )  # fmt: skip


def finding(name: str = "f1", *, severity: int = 7, title: str = "Brute force") -> Finding:
    """A finding with every part filled."""
    return Finding(
        id=name, rule_id="brute-force", rule_name="Brute force", rule_level="high", title=title,
        summary="five failures", factors=(SeverityFactor("rule level high", severity),), first_seen=START,
        last_seen=START + timedelta(seconds=9), found_at=START + timedelta(seconds=10),
        entity={"source.ip": "10.0.0.1"},
        evidence=(Evidence("count >= 5", "source.ip", "10.0.0.1", "0000000000000001-0", "Failed \udcff password"),),
        event_ids=("0000000000000001-0",), event_count=5, category="authentication", actions=("block it",),
        tags=("attack.t1110",), sources=("auth",), details={"count": 5, "ratio": 1.0, "who": "root"},
    )  # fmt: skip
