"""Bursts and drops are told with what was expected, never on the first day, once a day and source."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import polars as pl

from support.events import START
from vedette.analysis.volume import Volume, VolumeRule
from vedette.model.events import EVENT_SCHEMA
from vedette.model.findings import Finding

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def spread(
    start: datetime, length: timedelta, count: int, *, template: str = "t1", source: str = "web"
) -> pl.DataFrame:
    """So many events, evenly over the time."""
    step, first = length // timedelta(microseconds=max(1, count)), start.timestamp()
    times = pl.Series("time", [int(first * 1_000_000) + number * step for number in range(count)], dtype=pl.Int64)
    known: dict[str, pl.Series | pl.Expr] = {
        "@timestamp": times.cast(EVENT_SCHEMA["@timestamp"]),
        "event.ingested": times.cast(EVENT_SCHEMA["event.ingested"]),
        "template.id": pl.lit(template),
        "vedette.source": pl.lit(source),
    }
    return times.to_frame().select(
        known.get(name, pl.lit(None)).cast(dtype).alias(name) for name, dtype in EVENT_SCHEMA.items()
    )


def ordinary(days: int, *, a_minute: int = 4, start: datetime = MONDAY, source: str = "web") -> list[pl.DataFrame]:
    """By day so much, nights half of it; a second kind of message now and then."""
    made = []
    for hour in range(days * 24):
        share = 1 if 8 <= hour % 24 < 20 else 2
        begin = start + hour * HOUR
        made.append(spread(begin, HOUR, 60 * a_minute // share, source=source))
        made.append(spread(begin, HOUR, 6, template="t2", source=source))
    return made


def told(detector: Volume, frames: Iterable[pl.DataFrame], now: datetime | None = None) -> list[Finding]:
    """The last state of every finding."""
    findings: dict[str, Finding] = {}
    for frame in frames:
        moment = now or frame["@timestamp"].max()
        assert isinstance(moment, datetime)
        for one in detector.inspect(frame.sort("@timestamp"), moment):
            findings[one.id] = one
    return list(findings.values())


def test_a_burst_is_told_with_what_was_expected() -> None:
    detector = Volume()
    attack = spread(MONDAY + 3 * DAY + 14 * HOUR, timedelta(minutes=4), 8_000)
    (finding,) = told(detector, [*ordinary(3), attack])
    assert finding.title == "web: 1,600 events a minute where about 4 is usual"
    assert finding.summary == (
        "web wrote 1,600 events a minute; at this time of day about 4 a minute is expected. "
        "Among them 1,600 messages of template t1 a minute."
    )
    assert finding.severity == 4
    assert finding.entity == {"vedette.source": "web"}
    assert finding.first_seen == MONDAY + 3 * DAY + 14 * HOUR
    assert finding.event_count == 8_000
    assert {one.column for one in finding.evidence} == {"vedette.source", "template.id"}


def test_a_burst_grows_and_is_not_repeated() -> None:
    detector = Volume()
    told(detector, ordinary(3))
    start = MONDAY + 3 * DAY + 14 * HOUR
    findings = [told(detector, [spread(start + n * timedelta(minutes=5), timedelta(minutes=5), 900)]) for n in range(4)]
    assert len({one.id for each in findings for one in each}) == 1
    assert [each[0].event_count for each in findings] == [900, 1_800, 2_700, 3_600]


def test_a_burst_of_one_kind_of_message_is_told_where_the_source_as_a_whole_is_not_louder() -> None:
    detector = Volume()
    told(detector, ordinary(3, a_minute=100))
    (finding,) = told(detector, [spread(MONDAY + 3 * DAY + 14 * HOUR, timedelta(minutes=4), 300, template="t2")])
    assert [one.value for one in finding.evidence] == ["t2"]


def test_nothing_is_told_on_the_first_day() -> None:
    attack = spread(MONDAY + 14 * HOUR, timedelta(minutes=4), 8_000)
    assert told(Volume(), [*ordinary(1)[:28], attack]) == []


def test_what_comes_at_the_same_hour_every_day_is_usual() -> None:
    frames = []
    for day in range(6):
        frames += ordinary(1, start=MONDAY + day * DAY)
        frames.append(spread(MONDAY + day * DAY + 3 * HOUR, timedelta(minutes=5), 900, template="backup"))
    assert told(Volume(), list(pl.concat(frames).sort("@timestamp").iter_slices(5_000)))[1:] == []


def test_a_level_that_stays_becomes_usual() -> None:
    detector = Volume()
    told(detector, ordinary(3))
    louder = [spread(MONDAY + 3 * DAY + hour * HOUR, HOUR, 24_000) for hour in range(72)]
    findings = told(detector, louder)
    assert len(findings) == 1
    assert findings[0].last_seen < MONDAY + 4 * DAY


def test_a_drop_is_told_and_silence_is_not() -> None:
    detector = Volume()
    told(detector, ordinary(4, a_minute=40))
    start = MONDAY + 4 * DAY
    (finding,) = told(detector, [spread(start, 12 * HOUR, 36), *ordinary(1, a_minute=40, start=start + 12 * HOUR)[:6]])
    assert finding.rule_id == "vedette.volume.drop"
    assert finding.title.startswith("web: 3 events in an hour where")
    assert finding.severity == 3
    silent = Volume()
    told(silent, ordinary(4, a_minute=40))
    assert told(silent, ordinary(1, a_minute=40, start=start + 12 * HOUR)) == []


def test_a_kind_of_message_that_ceases_is_told_unless_it_has_another_name_now() -> None:
    class Names:
        def aliases(self, template_id: str) -> set[str]:
            return {"t1", "t9"} if template_id in {"t1", "t9"} else {template_id}

        def template(self, template_id: str) -> None:
            return None

    start = MONDAY + 4 * DAY
    change = [
        pl.concat([spread(start + hour * HOUR, HOUR, 2_400, template="t9"), spread(start + hour * HOUR, HOUR, 6, template="t2")])
        for hour in range(6)
    ]  # fmt: skip
    without = told(Volume(), [*ordinary(4, a_minute=40), *change])
    assert {one.rule_id for one in without} == {"vedette.volume.drop", "vedette.volume.burst"}
    assert told(Volume(templates=Names()), [*ordinary(4, a_minute=40), *change]) == []


def test_history_teaches_and_is_not_told() -> None:
    frames = [*ordinary(3), spread(MONDAY + 3 * DAY + 14 * HOUR, timedelta(minutes=4), 8_000)]
    now = MONDAY + 60 * DAY
    frames = [
        frame.with_columns(pl.lit(now).cast(pl.Datetime("us", "UTC")).alias("event.ingested")) for frame in frames
    ]
    assert told(Volume(), frames, now) == []


def test_late_events_count_within_two_hours_and_are_counted_after() -> None:
    detector = Volume()
    told(detector, ordinary(3))
    before = detector.late
    start = MONDAY + 3 * DAY + 14 * HOUR
    told(detector, [spread(start, timedelta(minutes=1), 3)])
    assert told(detector, [spread(start - HOUR, timedelta(minutes=4), 900)]) != []
    assert detector.late == before
    told(detector, [spread(start - 3 * HOUR, timedelta(minutes=4), 900)])
    assert detector.late == before + 900


def test_everything_is_bounded_and_counted() -> None:
    rule = replace(VolumeRule(), max_templates=3, max_open_templates=6, max_sources=2, max_lines=2)
    detector = Volume(rule)
    for hour in range(30):
        frames = [spread(MONDAY + hour * HOUR, HOUR, 30, template=f"t{n}") for n in range(12)]
        told(detector, [pl.concat(frames)])
    assert detector.forgotten > 0
    told(detector, [spread(MONDAY + 30 * HOUR, HOUR, 30, source=f"s{n}") for n in range(5)])
    pieces = detector.memory.snapshots()
    assert sum(1 for key, piece in pieces.items() if key.endswith("/open") and piece) == 2
    detector = Volume(rule)
    told(detector, ordinary(3))
    start = MONDAY + 3 * DAY
    (finding,) = told(detector, [spread(start + n * timedelta(minutes=5), timedelta(minutes=5), 900) for n in range(6)])
    assert finding.details["spans"] in {1, 2}


def test_an_unreadable_piece_is_learned_anew() -> None:
    detector = Volume()
    detector.memory.restore({"volume/web/open": b"[]", "volume/web/learned": b"{"})
    assert told(detector, [spread(START, HOUR, 100)]) == []


@dataclass(frozen=True)
class Text:
    text: str


def test_the_words_of_a_template_are_shown() -> None:
    class Names:
        def aliases(self, template_id: str) -> set[str]:
            return {template_id}

        def template(self, template_id: str) -> Text:
            return Text(f"words of {template_id}")

    detector = Volume(templates=Names())
    told(detector, ordinary(3, a_minute=100))
    (finding,) = told(detector, [spread(MONDAY + 3 * DAY + 14 * HOUR, timedelta(minutes=4), 300, template="t2")])
    assert "messages like “words of t2”" in finding.summary
