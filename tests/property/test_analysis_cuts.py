"""What is out of the ordinary is found however the stream is cut, and with a restart at any cut."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.events import START, event_frame
from vedette.analysis import BehaviourDetector, Novelty, NoveltyRule, Silence, SilenceRule, Volume, VolumeRule
from vedette.model.findings import Finding

NOW = START + timedelta(days=20)


class Make(Protocol):
    def __call__(self) -> BehaviourDetector: ...


def novelty() -> BehaviourDetector:
    return Novelty(NoveltyRule(learning=timedelta(hours=5), learning_events=10, max_new_per_day=8))


def volume() -> BehaviourDetector:
    return Volume(VolumeRule(learning=timedelta(hours=5), least_burst=4, floor=2, drop_days=1, least_drop=0))


def silence() -> Silence:
    return Silence(SilenceRule(learning=timedelta(hours=5), learning_events=10, live_within=timedelta(days=99)))


def stream(seed: int, count: int) -> pl.DataFrame:
    """Some days of three sources whose times jump a little, with values that are mostly the same."""
    chance = random.Random(seed)
    at = START
    rows: list[dict[str, Any]] = []
    for number in range(count):
        if chance.random() < 0.3:
            at += timedelta(minutes=chance.choice([1, 7, 30, 90, 240]))
        seldom = chance.random() < 0.1
        rows.append(
            {
                "@timestamp": at - timedelta(minutes=chance.choice([0, 0, 0, 3, 50, 150])),
                "event.ingested": at,
                "vedette.source": chance.choice("abc"),
                "log.file.path": chance.choice(["/var/log/a.log", "/var/log/b.log.1", "/var/log/b.log.2"]),
                "log.offset": number,
                "host.name": chance.choice(["h1", "h1", "h2"]),
                "process.name": chance.choice(["sshd", "cron"]),
                "user.name": f"u{chance.randrange(30)}" if seldom else "anna",
                "source.ip": chance.choice(["10.0.0.1", "10.0.0.2", None]),
                "template.id": f"t{chance.randrange(40)}" if seldom else chance.choice(["t1", "t2", None]),
                "event.category": chance.choice(["authentication", None]),
                "event.outcome": chance.choice(["success", "failure", None]),
            }
        )
    return event_frame(rows)


def run(
    make: Callable[[], BehaviourDetector], frame: pl.DataFrame, cuts: Sequence[int], restarts: set[int]
) -> dict[str, Finding]:
    """The last state of every finding."""
    detector, state, told = make(), dict[str, bytes](), dict[str, Finding]()
    for start, end in zip([0, *cuts], [*cuts, frame.height], strict=True):
        if start in restarts:
            detector = make()
            detector.memory.restore(state)
        for finding in detector.inspect(frame[start:end], NOW):
            told[finding.id] = finding
        state |= detector.memory.snapshots()
    return told


@pytest.mark.parametrize("make", [novelty, volume])
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(20, 400), data=st.data())
def test_findings_do_not_depend_on_cuts_nor_restarts(make: Make, seed: int, count: int, data: st.DataObject) -> None:
    frame = stream(seed, count)
    cuts = sorted(data.draw(st.sets(st.integers(1, count - 1), max_size=8)))
    restarts = data.draw(st.sets(st.sampled_from(cuts))) if cuts else set()
    assert run(make, frame, cuts, restarts) == run(make, frame, [], set())


@pytest.mark.parametrize("make", [novelty, volume])
def test_the_streams_of_the_property_hold_findings(make: Make) -> None:
    assert any(run(make, stream(seed, 400), [], set()) for seed in range(5))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(20, 300), data=st.data())
def test_what_is_learned_of_gaps_does_not_depend_on_cuts(seed: int, count: int, data: st.DataObject) -> None:
    frame = stream(seed, count)
    cuts = sorted(data.draw(st.sets(st.integers(1, count - 1), max_size=8)))

    def silences(cuts: Sequence[int]) -> list[Finding]:
        detector, state = silence(), dict[str, bytes]()
        for start, end in zip([0, *cuts], [*cuts, frame.height], strict=True):
            detector = silence()
            detector.memory.restore(state)
            detector.inspect(frame[start:end], _last(frame))
            state |= detector.memory.snapshots()
        minutes = range(0, 600, 4)
        return [one for minute in minutes for one in detector.tick(_last(frame) + timedelta(minutes=minute))]

    assert silences(cuts) == silences([])


def _last(frame: pl.DataFrame) -> datetime:
    last = frame["event.ingested"].max()
    assert isinstance(last, datetime)
    return last
