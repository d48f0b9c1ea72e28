"""A live source that is quieter than ever is told, grows, and ends with its silence; an import never is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from support.events import event_frame
from vedette.analysis.silence import Silence, SilenceRule
from vedette.model.findings import Finding

MONDAY = datetime(2026, 11, 23, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


def heard(at: datetime, read: datetime | None = None, source: str = "auth", **columns: Any) -> dict[str, Any]:
    return {
        "@timestamp": at,
        "event.ingested": read or at + timedelta(seconds=1),
        "vedette.source": source,
        "host.name": "web-1",
    } | columns


def listen(
    detector: Silence, start: datetime, length: timedelta, every: timedelta | None = 2 * MINUTE
) -> list[Finding]:
    """A tick a minute, a live record every so often; None for silence."""
    findings = []
    for minute in range(int(length / MINUTE)):
        now = start + minute * MINUTE
        if every and not minute % int(every / MINUTE):
            findings += detector.inspect(event_frame([heard(now)]), now)
        findings += detector.tick(now)
    return findings


def taught(length: timedelta, every: timedelta = 2 * MINUTE) -> Silence:
    """One that has just read so much of a live source, and called nothing silent."""
    detector = Silence()
    rows = [heard(MONDAY + number * every) for number in range(length // every)]
    assert detector.inspect(event_frame(rows), rows[-1]["event.ingested"]) == []
    return detector


@pytest.fixture
def known() -> Silence:
    """Two days of a record every other minute."""
    return taught(2 * DAY)


def test_a_quiet_source_is_told_once_and_seldom_again(known: Silence) -> None:
    findings = listen(known, MONDAY + 2 * DAY, timedelta(hours=3), every=None)
    assert [one.details["quiet_minutes"] for one in findings] == [11, 22, 44, 88, 176]
    assert len({one.id for one in findings}) == 1
    first = findings[0]
    assert first.title == "auth has been silent for 11 minutes"
    assert "never longer than 2 minutes" in first.summary
    assert first.severity == 4
    assert first.first_seen == MONDAY + 2 * DAY - 2 * MINUTE + timedelta(seconds=1)
    assert first.entity == {"vedette.source": "auth", "host.name": "web-1"}
    assert findings[-1].severity == 5


def test_the_finding_ends_when_the_source_speaks(known: Silence) -> None:
    start = MONDAY + 2 * DAY
    begun = listen(known, start, 40 * MINUTE, every=None)
    (ended,) = listen(known, start + 40 * MINUTE, 5 * MINUTE)
    assert ended.id == begun[0].id
    assert ended.title == "auth was silent for 42 minutes"
    assert ended.last_seen == start + 40 * MINUTE + timedelta(seconds=1)
    assert ended.severity < begun[-1].severity


def test_one_failure_does_not_hide_the_next(known: Silence) -> None:
    start = MONDAY + 2 * DAY
    listen(known, start, timedelta(hours=5), every=None)
    listen(known, start + timedelta(hours=5), timedelta(hours=20), every=5 * MINUTE)
    again = listen(known, start + timedelta(hours=25), timedelta(hours=1), every=None)
    assert again
    assert int(again[0].details["quiet_minutes"]) <= 22


def test_a_source_with_long_pauses_gets_twice_as_much() -> None:
    detector = Silence(SilenceRule(learning_events=20))
    assert listen(detector, MONDAY, 2 * DAY, every=30 * MINUTE) == []
    (finding,) = listen(detector, MONDAY + 2 * DAY, timedelta(minutes=60), every=None)
    assert finding.details["quiet_minutes"] in {59, 60, 61}


def test_nothing_is_told_before_enough_was_learned() -> None:
    detector = taught(timedelta(hours=20))
    assert listen(detector, MONDAY + timedelta(hours=20), timedelta(hours=3), every=None) == []
    detector = taught(2 * DAY, every=30 * MINUTE)
    assert listen(detector, MONDAY + 2 * DAY, timedelta(hours=3), every=None) == []


def test_the_first_weekend_is_not_judged_by_working_days() -> None:
    detector = taught(5 * DAY)
    assert listen(detector, MONDAY + 5 * DAY, timedelta(hours=5), every=None) == []


def test_an_import_is_never_silent() -> None:
    detector = Silence()
    read = MONDAY + 30 * DAY
    detector.inspect(event_frame([heard(MONDAY + n * MINUTE, read) for n in range(5_000)]), read)
    assert listen(detector, read, timedelta(hours=3), every=None) == []


def test_an_import_teaches_a_live_source_of_its_pauses() -> None:
    detector = Silence()
    rows = [heard(MONDAY + n * 40 * MINUTE, MONDAY + 3 * DAY) for n in range(70)]
    detector.inspect(event_frame(rows * 3), MONDAY + 3 * DAY)
    start = MONDAY + 70 * 40 * MINUTE
    listen(detector, start, timedelta(hours=1))
    assert listen(detector, start + timedelta(hours=1), timedelta(hours=1), every=None) == []


def test_time_in_which_nobody_listened_is_no_silence(known: Silence) -> None:
    later = Silence()
    later.memory.restore(known.memory.snapshots())
    start = MONDAY + 2 * DAY + timedelta(hours=5)
    assert listen(later, start, 10 * MINUTE, every=None) == []
    assert listen(later, start + 10 * MINUTE, 5 * MINUTE, every=None) != []
    asleep = MONDAY + 2 * DAY + timedelta(hours=2)
    assert listen(known, asleep, 10 * MINUTE, every=None) == []


def test_a_silence_goes_on_over_a_restart(known: Silence) -> None:
    start = MONDAY + 2 * DAY
    (first,) = listen(known, start, 15 * MINUTE, every=None)
    later = Silence()
    later.memory.restore(known.memory.snapshots())
    (second,) = later.inspect(event_frame([heard(start + 20 * MINUTE)]), start + 20 * MINUTE)
    assert second.id == first.id
    assert second.title == "auth was silent for 22 minutes"


def test_a_source_that_is_not_read_is_not_judged(known: Silence) -> None:
    read = {"web"}
    detector = Silence(watched=lambda: read)
    detector.memory.restore(known.memory.snapshots())
    start = MONDAY + 2 * DAY
    assert listen(detector, start, 20 * MINUTE, every=None) == []
    read.add("auth")
    assert listen(detector, start + 20 * MINUTE, 2 * MINUTE, every=None) != []


def test_a_source_that_does_not_come_back_is_given_up(known: Silence) -> None:
    start = MONDAY + 2 * DAY
    known.memory.snapshots()
    findings = listen(known, start, 8 * DAY, every=None)
    assert len(findings) < 12
    assert listen(known, start + 8 * DAY, DAY, every=None) == []


def test_sources_are_bounded_and_counted() -> None:
    detector = Silence(replace(SilenceRule(), max_sources=3))
    detector.inspect(event_frame([heard(MONDAY, source=f"s{n}") for n in range(5)]), MONDAY)
    assert detector.forgotten == 2
    assert sum(1 for piece in detector.memory.snapshots().values() if piece) == 3
