"""Every event gets a severity, every finding advice."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from vedette.analysis import SeverityAnalyser
from vedette.analysis.severity import BY_CATEGORY_AND_OUTCOME, BY_LEVEL
from vedette.model.events import CATEGORIES, EVENT_SCHEMA, LEVELS, OUTCOMES, event_id
from vedette.model.findings import Finding
from vedette.model.severity import SeverityFactor

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def frame(*rows: dict[str, Any]) -> pl.DataFrame:
    placed = [{"vedette.generation": 1, "log.offset": index, **row} for index, row in enumerate(rows)]
    return pl.DataFrame(placed, schema=EVENT_SCHEMA)


def finding(severity: int, *event_ids: str, actions: tuple[str, ...] = (), category: str = "") -> Finding:
    return Finding(
        id="f",
        rule_id="r",
        rule_name="rule",
        rule_level="high",
        title="title",
        summary="summary",
        factors=(SeverityFactor("base", severity),),
        first_seen=NOW,
        last_seen=NOW,
        found_at=NOW,
        entity={},
        evidence=(),
        event_ids=event_ids,
        event_count=len(event_ids),
        category=category,
        actions=actions,
    )


def severities(events: pl.DataFrame, *findings: Finding) -> list[int]:
    analysed, _ = SeverityAnalyser().analyse(events, findings)
    return analysed.get_column("event.severity").to_list()


def test_the_tables_use_the_model_s_words() -> None:
    assert set(BY_LEVEL) == set(LEVELS)
    assert {category for category, _ in BY_CATEGORY_AND_OUTCOME} <= set(CATEGORIES)
    assert {outcome for _, outcome in BY_CATEGORY_AND_OUTCOME} <= set(OUTCOMES)


@pytest.mark.parametrize(
    ("row", "severity"),
    [
        ({}, 1),
        ({"log.level": "error"}, 4),
        ({"log.level": "verbose"}, 1),
        ({"event.category": "authentication", "event.outcome": "failure"}, 4),
        ({"event.category": "authentication", "event.outcome": "failure", "log.level": "critical"}, 6),
        ({"event.category": "malware"}, 7),
        ({"event.severity": 3, "log.level": "emergency"}, 3),
        ({"event.severity": 0}, 1),
        ({"event.severity": 200}, 10),
    ],
)
def test_severity_comes_from_the_format_or_the_table(row: dict[str, Any], severity: int) -> None:
    assert severities(frame(row)) == [severity]


def test_events_that_prove_a_finding_are_raised_and_never_lowered() -> None:
    events = frame({"event.severity": 4}, {"event.severity": 9}, {"event.severity": 2})
    assert severities(events, finding(9, event_id(1, 0), event_id(1, 1), event_id(7, 7))) == [7, 9, 2]


def test_order_and_schema_stay() -> None:
    events = frame(*({"message": str(number), "log.level": LEVELS[number % 9]} for number in range(50)))
    analysed, _ = SeverityAnalyser().analyse(events, [finding(8, event_id(1, 30))])
    assert analysed.schema == EVENT_SCHEMA
    assert analysed.drop("event.severity").equals(events.drop("event.severity"))
    empty, _ = SeverityAnalyser().analyse(EVENT_SCHEMA.to_frame(), [])
    assert empty.schema == EVENT_SCHEMA


def test_a_finding_without_advice_gets_some_and_one_with_advice_keeps_it() -> None:
    _, (bare, web, advised) = SeverityAnalyser().analyse(
        frame(), [finding(5), finding(5, category="web"), finding(5, actions=("Do this.",))]
    )
    assert all(one.actions for one in (bare, web))
    assert bare.actions != web.actions
    assert advised.actions == ("Do this.",)
