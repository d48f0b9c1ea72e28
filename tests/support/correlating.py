"""Rules about `event.action`, matched as plainly as possible, to try correlations without the engine."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from vedette.detection.sigma.rules import (
    Clause,
    CorrelationRule,
    CorrelationType,
    DetectionRule,
    LogSource,
    Operator,
    RuleSet,
)
from vedette.detection.sigma_detector import SigmaDetector
from vedette.model.events import EVENT_SCHEMA
from vedette.model.findings import Evidence, Finding

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NOW = datetime(2026, 3, 1, 13, 0, tzinfo=UTC)


class ActionMatcher:
    """A rule matches the events whose `event.action` holds its letter."""

    def __init__(self, rules: Sequence[DetectionRule]) -> None:
        self._letters = [rule.condition.value for rule in rules if isinstance(rule.condition, Clause)]

    def match(self, events: pl.DataFrame) -> pl.DataFrame:
        actions = events.get_column("event.action").to_list()
        pairs = [
            (place, row)
            for row, action in enumerate(actions)
            for place, letter in enumerate(self._letters)
            if action is not None and letter in action
        ]
        return pl.DataFrame(pairs, schema={"rule": pl.UInt32, "row": pl.UInt32}, orient="row")

    def evidence(self, rule_place: int, event: Mapping[str, Any]) -> tuple[Evidence, ...]:
        letter = self._letters[rule_place]
        return (Evidence(f"event.action contains {letter}", "event.action", letter, None, event["event.original"]),)


def column_values(events: pl.DataFrame, field: str, *, logsource: LogSource | None = None) -> pl.Series:
    """A column, or a key of `fields`."""
    if field in EVENT_SCHEMA:
        return events.get_column(field).cast(pl.String)
    return events.select(pl.col("fields").str.json_path_match(f"$.{field}").alias(field)).get_column(field)


def on(letter: str, **head: Any) -> DetectionRule:
    """A rule with a letter as its id, which looks for the letter."""
    rule = DetectionRule(
        id=letter,
        title=f"Saw {letter}",
        logsource=LogSource(category="authentication"),
        condition=Clause("event.action", Operator.CONTAINS, letter, f"action {letter}"),
    )
    return replace(rule, **head)


def together(
    kind: str,
    *rules: str,
    by: Sequence[str] = ("source.ip",),
    seconds: float = 20,
    identifier: str = "all",
    **more: Any,
) -> CorrelationRule:
    """A correlation of these rules."""
    return CorrelationRule(
        id=identifier,
        title="Together",
        type=CorrelationType(kind),
        rules=rules,
        group_by=tuple(by),
        timespan=timedelta(seconds=seconds),
        **more,
    )


def event(seconds: float, action: str = "a", **columns: Any) -> dict[str, Any]:
    """An event, `seconds` after the start; keyword names use `_` for the first dot."""
    row: dict[str, Any] = {
        "@timestamp": START + timedelta(seconds=seconds),
        "event.category": "authentication",
        "event.action": action,
        "event.original": f"{action} happened",
        "source.ip": "203.0.113.77",
        "host.name": "bastion",
        "vedette.source": "auth",
    }
    return row | {name.replace("_", ".", 1): value for name, value in columns.items()}


def frame(rows: Sequence[dict[str, Any]], first_offset: int = 0) -> pl.DataFrame:
    """The events at their places: offsets count up from `first_offset` in generation 1."""
    numbered = [{"vedette.generation": 1, "log.offset": first_offset + index, **row} for index, row in enumerate(rows)]
    return pl.DataFrame(numbered, schema=EVENT_SCHEMA)


def detector_of(*rules: DetectionRule | CorrelationRule, **more: Any) -> SigmaDetector:
    """A detector over these rules."""
    given = rule_set(*rules)
    return SigmaDetector(given, ActionMatcher(given.detections), field_values=column_values, **more)


def rule_set(*rules: DetectionRule | CorrelationRule) -> RuleSet:
    return RuleSet(
        tuple(one for one in rules if isinstance(one, DetectionRule)),
        tuple(one for one in rules if isinstance(one, CorrelationRule)),
    )


def found(detector: SigmaDetector, rows: Sequence[dict[str, Any]]) -> list[Finding]:
    return detector.inspect(frame(rows), NOW)


def found_in_pieces(
    rules: Sequence[DetectionRule | CorrelationRule],
    rows: Sequence[dict[str, Any]],
    cuts: Iterable[int],
    *,
    restarts: bool,
    ends: bool = False,
) -> dict[str, Finding]:
    """The newest version of every finding when the stream is cut there, with a restart at every cut if wished, and with
    what is told when nothing more comes."""
    detector = detector_of(*rules)
    findings: dict[str, Finding] = {}
    state = b""
    for begin, end in itertools.pairwise(sorted({0, len(rows), *cuts})):
        for finding in detector.inspect(frame(rows[begin:end], begin), NOW):
            findings[finding.id] = finding
        state = detector.snapshot() or state
        if restarts:
            detector = detector_of(*rules)
            detector.restore(state)
    if ends:
        findings |= {finding.id: finding for finding in detector.finish(NOW)}
    return findings
