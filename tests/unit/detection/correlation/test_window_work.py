"""What comes late costs windows as little as what comes in order. Work is counted, not timed."""

from __future__ import annotations

from typing import Any

import pytest

from support.correlating import NOW, detector_of, event, frame, on, together
from vedette.detection.correlation import gauges

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
