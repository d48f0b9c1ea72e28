"""What was never there before is told once, with what was expected; and never while a source is being learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest

from support.events import START, event_frame
from vedette.analysis.novelty import Novelty, NoveltyRule
from vedette.model.findings import Finding

DAY = timedelta(days=1)
RULE = NoveltyRule(learning_events=50)


def row(at: datetime, **columns: Any) -> dict[str, Any]:
    named = {name.replace("__", "."): value for name, value in columns.items()}
    return {
        "@timestamp": at,
        "event.ingested": max(at, START),
        "vedette.source": "auth",
        "log.file.path": "/var/log/auth.log",
        "host.name": "web-1",
        "process.name": "sshd",
        "template.id": "t1",
    } | named


def login(at: datetime, user: str = "anna", ip: str = "10.0.0.1", **columns: Any) -> dict[str, Any]:
    return row(
        at,
        **{"event.category": "authentication", "event.outcome": "success", "user.name": user, "source.ip": ip},
        **columns,
    )


def ordinary(days: float = 3, start: datetime = START, **columns: Any) -> list[dict[str, Any]]:
    """A login every quarter of an hour."""
    return [login(start + timedelta(minutes=15) * number, **columns) for number in range(int(days * 96))]


def numbered(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    return event_frame([{"log.offset": at * 100, **one} for at, one in enumerate(rows)])


def told(
    detector: Novelty, rows: Sequence[dict[str, Any]] | pl.DataFrame, cuts: Sequence[int] = ()
) -> dict[str, Finding]:
    frame = rows if isinstance(rows, pl.DataFrame) else numbered(rows)
    findings: dict[str, Finding] = {}
    for start, end in zip([0, *cuts], [*cuts, frame.height], strict=True):
        for finding in detector.inspect(frame[start:end], START):
            findings[finding.id] = finding
    return findings


def kinds(findings: dict[str, Finding]) -> list[str]:
    return sorted(one.rule_id.rsplit(".", 1)[1] for one in findings.values())


def test_a_first_login_is_told_with_what_was_expected() -> None:
    rows = [*ordinary(), login(START + 3.5 * DAY, user="bob", ip="10.0.0.1")]
    findings = told(Novelty(RULE), rows)
    assert kinds(findings) == ["login"]
    (finding,) = findings.values()
    assert finding.summary == "bob has never logged in on web-1 in 3 days."
    assert finding.title == "bob logged in on web-1 for the first time"
    assert finding.severity == 3
    assert finding.entity == {
        "vedette.source": "auth",
        "source.ip": "10.0.0.1",
        "host.name": "web-1",
        "user.name": "bob",
    }
    assert finding.evidence[0].value == "bob on web-1"
    assert finding.evidence[0].event_id == finding.event_ids[0]
    assert finding.first_seen == START + 3.5 * DAY


def test_an_account_that_may_do_everything_weighs_more() -> None:
    (finding,) = told(Novelty(RULE), [*ordinary(), login(START + 3.5 * DAY, user="root")]).values()
    assert finding.severity == 5
    assert [(factor.reason, factor.amount) for factor in finding.factors] == [
        ("first time: login", 3),
        ("root may do everything", 2),
    ]


def test_a_known_account_from_a_new_place_is_told() -> None:
    findings = told(Novelty(RULE), [*ordinary(), login(START + 3.5 * DAY, ip="203.0.113.5")])
    assert kinds(findings) == ["login-from"]


@pytest.mark.parametrize(
    ("columns", "kind"),
    [
        ({"process.name": "nc"}, "process"),
        ({"host.name": "web-2"}, "host"),
        ({"template.id": "t2"}, "template"),
        ({"user.name": "eve"}, "user"),
        ({"source.ip": "203.0.113.5"}, "address"),
        ({"user.name": "anna", "process.command_line": "/usr/bin/nc -l 99"}, "command"),
    ],
)
def test_every_kind_of_first_time_is_told(columns: dict[str, Any], kind: str) -> None:
    findings = told(Novelty(RULE), [*ordinary(), row(START + 3.5 * DAY, **columns)])
    assert kinds(findings) == [kind]
    assert 2 <= next(iter(findings.values())).severity <= 4


def test_nothing_is_told_of_failed_logins() -> None:
    failed = {"event.category": "authentication", "event.outcome": "failure", "template.id": "t1"}
    rows = [row(START + 3.5 * DAY, **failed, **{"user.name": f"u{n}", "source.ip": f"192.0.2.{n}"}) for n in range(9)]
    assert told(Novelty(RULE), [*ordinary(), *rows]) == {}


def test_nothing_is_told_before_a_day_of_events_nor_before_enough_of_them() -> None:
    strangers = [login(START + timedelta(hours=hour), user=f"u{hour}") for hour in range(23)]
    rows = sorted([*ordinary(0.9), *strangers], key=lambda one: one["@timestamp"])
    assert told(Novelty(RULE), rows) == {}
    few = [*ordinary(3)[:40], login(START + 3.5 * DAY, user="bob")]
    assert told(Novelty(RULE), few) == {}


def test_a_kind_that_always_brings_new_values_is_mute() -> None:
    visitors = [login(START + timedelta(minutes=15) * n, ip=f"192.0.{n // 250}.{n % 250}") for n in range(4 * 96)]
    assert told(Novelty(RULE), visitors) == {}


def test_one_finding_a_day_grows_with_the_values() -> None:
    rows = [*ordinary(), *(login(START + 3.5 * DAY + timedelta(minutes=n), user=f"u{n}") for n in range(4))]
    (finding,) = told(Novelty(RULE), rows, cuts=[len(rows) - 2]).values()
    assert finding.event_count == 4
    assert finding.title == "4 logins that auth never had before"
    assert [one.value for one in finding.evidence] == [f"u{n} on web-1" for n in range(4)]
    assert "user.name" not in finding.entity


def test_a_new_file_of_a_source_is_learned_first() -> None:
    other = [
        row(START + 3.2 * DAY + timedelta(hours=n), **{"log.file.path": "/var/log/mail.log", "user.name": f"m{n}"})
        for n in range(4)
    ]
    assert told(Novelty(RULE), [*ordinary(), *other]) == {}


def test_rotation_is_no_new_file() -> None:
    rows = [
        login(one["@timestamp"], log__file__path=f"/var/log/auth.log.{number % 7}")
        for number, one in enumerate(ordinary())
    ]
    rows.append(login(START + 3.5 * DAY, user="bob", log__file__path="/var/log/auth.log.8"))
    assert kinds(told(Novelty(RULE), rows)) == ["login"]


def test_the_messages_of_a_new_program_are_not_told_beside_it() -> None:
    new = [row(START + 3.5 * DAY, **{"process.name": "nc", "template.id": f"n{n}"}) for n in range(3)]
    assert kinds(told(Novelty(RULE), [*ordinary(), *new])) == ["process"]


def test_a_template_that_others_were_merged_into_is_not_new() -> None:
    rows = [*ordinary(), row(START + 3.5 * DAY, **{"template.id": "merged"})]
    assert told(Novelty(RULE, aliases=lambda identifier: {identifier, "t1"}), rows) == {}


def test_a_clock_that_runs_ahead_teaches_nothing() -> None:
    rows = [*ordinary(), {**login(START + 3.5 * DAY, user="bob"), "event.ingested": START}]
    assert told(Novelty(RULE), rows) == {}


def test_values_sources_and_findings_are_bounded_and_counted() -> None:
    rule = replace(RULE, max_values=40, max_sources=2, max_per_hour=3, max_all_values=100, max_files=2)
    detector = Novelty(rule)
    rows = [login(START + timedelta(minutes=15) * n, ip=f"192.0.{n // 250}.{n % 250}") for n in range(96)]
    told(detector, rows)
    assert detector.forgotten > 0
    rows = [one | {"vedette.source": f"s{n % 5}"} for n, one in enumerate(rows)]
    told(detector, rows)
    assert sum(1 for key, piece in detector.memory.snapshots().items() if key.endswith("/head") and piece) <= 2
    detector = Novelty(rule)
    crowd = [login(START + 3.5 * DAY + timedelta(seconds=n), user=f"u{n}") for n in range(30)]
    findings = told(detector, [*ordinary(), *crowd])
    assert [one.event_count for one in findings.values()] == [3]
    assert detector.capped == 3 * 27


def test_a_commit_carries_only_what_changed() -> None:
    detector = Novelty(RULE)
    rows = [login(START + timedelta(minutes=15) * n, user=f"user-{n}") for n in range(300)]
    told(detector, rows)
    everything = detector.memory.snapshots()
    told(detector, [login(START + timedelta(minutes=15 * 299, seconds=1), user="user-1")])
    assert set(detector.memory.snapshots()) <= {"novelty/auth/head"} | {
        key for key in everything if detector.memory is not None and len(everything[key]) < 2_500
    }
    assert detector.memory.snapshots() == {}


def test_an_unreadable_piece_is_learned_anew() -> None:
    detector = Novelty(RULE)
    detector.memory.restore({"novelty/auth/head": b"{", "novelty/auth/user/1": b"[]", "other": b"x"})
    assert told(detector, ordinary(0.5)) == {}
