"""What comes late costs windows as little as what comes in order. Work is counted, not timed."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from support.correlating import NOW, column_values, detector_of, event, frame, on, together
from vedette.detection.correlation import gauges, sightings

ROWS = 3_000


@pytest.mark.parametrize(
    ("gauge", "kind", "more"),
    [
        ("CountGauge", "event_count", {"conditions": (("gte", 1e9),)}),
        ("DistinctGauge", "value_count", {"conditions": (("gte", 60),), "value_field": "user.name"}),
        ("PartsGauge", "temporal", {}),
    ],
)
def test_records_that_jump_back_in_time_are_measured_a_few_times_each(
    gauge: str, kind: str, more: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = 0
    add = getattr(gauges, gauge).add

    def counted(self: Any, member: gauges.Member) -> None:
        nonlocal measured
        measured += 1
        add(self, member)

    monkeypatch.setattr(getattr(gauges, gauge), "add", counted)
    parts = ("a", "b") if kind == "temporal" else ("a",)
    detector = detector_of(on("a"), on("b"), together(kind, *parts, seconds=600, **more))
    rows = [event(number * 367 % 600, user_name=f"user{number % 50}") for number in range(ROWS)]
    assert detector.inspect(frame(rows), NOW) == []
    assert measured < 4 * ROWS


def test_a_field_is_looked_up_once_for_all_rules_that_are_asked_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []

    def looked_up(events: pl.DataFrame, field: str, **more: Any) -> pl.Series:
        asked.append((field, events.height))
        return column_values(events, field, **more)

    monkeypatch.setattr("support.correlating.column_values", looked_up)
    many = (("gte", 2),)
    detector = detector_of(
        *(on(letter) for letter in "abcd"),
        together("event_count", "a", "b", conditions=many),
        together("value_count", "b", conditions=many, value_field="user.name", identifier="users"),
        together("event_count", "c", conditions=many, identifier="c alone"),
    )
    rows = [
        event(number, action, source_ip=f"203.0.113.{number % 3}", user_name=f"user{number}")
        for number, action in enumerate("abdcbacdddddddddddd")
    ]
    findings = [one for one in detector.inspect(frame(rows), NOW) if one.title.startswith("Together")]
    assert sorted(asked) == [("source.ip", 6), ("user.name", 2)]
    seen = sorted((one.rule_id, one.entity["source.ip"], one.event_count) for one in findings)
    assert seen == [("all", "203.0.113.1", 2), ("c alone", "203.0.113.0", 2), ("users", "203.0.113.1", 2)]


def test_what_is_few_is_grouped_like_what_is_much(monkeypatch: pytest.MonkeyPatch) -> None:
    gaps = [0, 1, 30, 81, 5, -40, 200, -170, 3] * 9
    times = [sum(gaps[:number]) for number in range(len(gaps))]
    rows = pl.DataFrame({"key": [f"{number * number % 5}" for number in range(len(times))], "time": times})
    of_few = [sightings.runs(rows, near) for near in (80, None)]
    monkeypatch.setattr(sightings, "_ONE_BY_ONE", 0)
    assert [sightings.runs(rows, near) for near in (80, None)] == of_few
    assert len(of_few[0]) > 20
    assert len(of_few[1]) == 3
