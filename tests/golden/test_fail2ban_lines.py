"""Real lines of fifty services that speak of an attack, compared with what fail2ban's own tests expect of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from support.entries import batch_of
from vedette.formats import FormatEngine, load_library

pytestmark = pytest.mark.shared

REFERENCE = datetime(2005, 8, 15, tzinfo=UTC)
"""Their tests' today, for stamps without a year."""
ZONE = ZoneInfo("Europe/Zurich")
LIBRARY = load_library()
_MARK = "# failJSON:"


@dataclass(frozen=True, slots=True)
class Expected:
    """A line of a service, and what is expected of it. `host` is empty where a later line tells it; `at` is what the
    stamp's clock shows where it names no zone, and else the time in the zone of their tests."""

    service: str
    line: str
    host: str
    at: datetime | None
    is_attack: bool


def samples(folder: Path) -> Iterator[list[Expected]]:
    """The lines of each service."""
    for file in sorted(folder.iterdir()):
        expected: list[Expected] = []
        wanted: dict[str, Any] | None = None
        for line in file.read_bytes().decode("utf-8", "replace").split("\n"):
            if line.startswith("#"):
                if line.startswith(_MARK):
                    wanted = json.loads(line.removeprefix(_MARK))
            elif line.strip() and wanted is not None:
                stamp = wanted.get("time")
                at = datetime.fromisoformat(stamp) if stamp else None
                expected.append(
                    Expected(file.name, line.rstrip("\r"), wanted.get("host", ""), at, bool(wanted.get("match")))
                )
                wanted = None
        if expected:
            yield expected


def events_of(lines: list[str]) -> list[dict[str, Any]]:
    """The event each line is in."""
    batch = batch_of(lines, reference_time=REFERENCE)
    events = FormatEngine(LIBRARY).decode([batch]).to_dicts()
    spans = [(event["log.offset"], event["log.offset"] + event["log.length"], event) for event in events]
    offsets = batch.frame["offset"].to_list()
    return [next(event for start, end, event in spans if start <= offset < end) for offset in offsets]


@pytest.fixture(scope="module")
def judged(shared_data: Path) -> list[tuple[Expected, dict[str, Any]]]:
    pairs = []
    for service in samples(shared_data / "fail2ban"):
        pairs += list(zip(service, events_of([each.line for each in service]), strict=True))
    assert len(pairs) > 400
    return pairs


def is_at(time: datetime, expected: datetime | None) -> bool:
    clocks = (time, time.astimezone(ZONE))
    return any(clock.replace(microsecond=0, tzinfo=None) == expected for clock in clocks)


def is_found(expected: Expected, event: dict[str, Any]) -> bool:
    hosts = (event["source.ip"], event["source.address"])
    return event["event.severity"] >= 4 and (not expected.host or expected.host in hosts)


def test_attacks_are_seen_with_their_address(judged: list[tuple[Expected, dict[str, Any]]]) -> None:
    attacks = [(expected, event) for expected, event in judged if expected.is_attack and expected.host]
    missed = [f"{expected.service}: {expected.line}" for expected, event in attacks if not is_found(expected, event)]
    assert len(missed) <= 0.03 * len(attacks), "\n".join(missed)


def test_attacks_have_the_time_their_line_says(judged: list[tuple[Expected, dict[str, Any]]]) -> None:
    attacks = [(expected, event) for expected, event in judged if expected.is_attack and expected.at]
    wrong = [
        f"{expected.service}: {event['@timestamp']} is not {expected.at}: {expected.line}"
        for expected, event in attacks
        if not is_at(event["@timestamp"], expected.at)
    ]
    assert len(wrong) <= 0.03 * len(attacks), "\n".join(wrong)


def test_attacks_have_a_category(judged: list[tuple[Expected, dict[str, Any]]]) -> None:
    attacks = [(expected, event) for expected, event in judged if expected.is_attack]
    without = [f"{expected.service}: {expected.line}" for expected, event in attacks if not event["event.category"]]
    assert len(without) <= 0.1 * len(attacks), "\n".join(without)
