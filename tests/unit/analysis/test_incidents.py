"""Findings become incidents by what they share and when."""

from __future__ import annotations

import random
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from support.events import START
from vedette.analysis.incident import Incident
from vedette.analysis.incidents import IncidentRule, incidents_of, tactics_of, techniques_of
from vedette.model.findings import Finding
from vedette.model.severity import SeverityFactor


def found(
    name: str,
    *,
    minute: float = 0,
    lasts: float = 1,
    severity: int = 5,
    ip: str = "",
    user: str = "",
    host: str = "",
    tags: tuple[str, ...] = (),
    rule: str = "",
    summary: str = "It did this. Then that.",
    factor: str = "rule level",
) -> Finding:
    entity = {"source.ip": ip, "user.name": user, "host.name": host}
    return Finding(
        id=name,
        rule_id=rule or f"rule-{name}",
        rule_name="Rule",
        rule_level="medium",
        title=f"Title of {name}",
        summary=summary,
        factors=(SeverityFactor(factor, severity),),
        first_seen=START + timedelta(minutes=minute),
        last_seen=START + timedelta(minutes=minute + lasts),
        found_at=START,
        entity={column: value for column, value in entity.items() if value},
        evidence=(),
        event_ids=(),
        event_count=3,
        tags=tags,
    )


def members(incidents: list[Incident]) -> set[tuple[str, ...]]:
    return {one.finding_ids for one in incidents}


def test_an_address_joins_what_is_close_in_time_and_no_more() -> None:
    incidents = incidents_of(
        [
            found("a", ip="192.0.2.1"),
            found("b", minute=60, ip="192.0.2.1"),
            found("c", minute=400, ip="192.0.2.1"),
            found("d", minute=401, ip="192.0.2.1"),
            found("e", minute=3, ip="192.0.2.9"),
        ]
    )
    assert members(incidents) == {("a", "b"), ("c", "d")}


def test_a_user_many_addresses_try_glues_nothing() -> None:
    attackers = [found(f"f{number}", minute=number, ip=f"192.0.2.{number}", user="root") for number in range(10)]
    local = [found(f"l{number}", minute=number, user="root", host="web-1") for number in range(2)]
    assert members(incidents_of([*attackers, *local])) == {("l0", "l1")}


def test_a_user_that_comes_from_a_second_address_is_one_story() -> None:
    incidents = incidents_of(
        [found("a", ip="192.0.2.1", user="anna"), found("b", minute=9, ip="10.0.0.7", user="Anna")]
    )
    assert members(incidents) == {("a", "b")}


def test_a_host_joins_within_a_short_time_and_a_busy_one_not_at_all() -> None:
    close = [found("a", ip="192.0.2.1", host="web-1"), found("b", minute=5, host="web-1")]
    far = [found("a", host="web-1"), found("b", minute=60, host="web-1")]
    busy = [found(f"f{number:02}", minute=number, host="web-1") for number in range(21)]
    visited = [found(f"f{number}", minute=number, ip=f"192.0.2.{number}", host="web-1") for number in range(3)]
    assert members(incidents_of(close)) == {("a", "b")}
    assert incidents_of(far) == []
    assert incidents_of(busy) == []
    assert incidents_of(visited) == []


def test_a_lone_finding_is_an_incident_only_when_it_is_high() -> None:
    incidents = incidents_of([found("a", severity=6, ip="192.0.2.1"), found("b", severity=7, ip="192.0.2.2")])
    assert members(incidents) == {("b",)}
    assert incidents[0].title == "Title of b"


def test_the_arithmetic_names_what_makes_it_worse() -> None:
    (incident,) = incidents_of(
        [
            found("a", ip="192.0.2.1", host="web-1", tags=("attack.credential_access", "attack.t1110.001")),
            found("b", minute=5, ip="192.0.2.1", user="anna", tags=("attack.initial-access", "attack.t1078")),
            found("c", minute=9, user="anna", host="db-1", severity=6, tags=("attack.persistence", "attack.t1136")),
        ]
    )
    assert [(factor.reason, factor.amount) for factor in incident.factors] == [
        ("worst finding: Title of c", 6),
        ("3 different rules", 1),
        ("3 tactics of an attack", 1),
        ("went on from credential access to persistence", 1),
        ("success after failures", 1),
        ("2 hosts", 1),
    ]
    assert incident.severity == 10
    assert incident.score == 11
    assert incident.title == "192.0.2.1 on web-1 and 1 more: credential access → initial access → persistence"
    assert incident.techniques == ("T1110.001", "T1078", "T1136")
    assert incident.entities == {
        "source.ip": ("192.0.2.1",),
        "user.name": ("anna",),
        "host.name": ("web-1", "db-1"),
    }
    assert [chapter.sentence for chapter in incident.story] == ["It did this."] * 3
    assert incident.event_count == 9


def test_success_after_failures_counts_once() -> None:
    said = found("a", ip="192.0.2.1", tags=("attack.t1110",), factor="success after failures")
    used = found("b", minute=5, ip="192.0.2.1", tags=("attack.t1078",))
    (incident,) = incidents_of([said, used])
    assert "success after failures" not in [factor.reason for factor in incident.factors]


def test_the_id_stays_while_later_findings_join() -> None:
    first = [found("a", ip="192.0.2.1"), found("b", minute=5, ip="192.0.2.1")]
    (before,) = incidents_of(first)
    (after,) = incidents_of([*first, found("c", minute=70, ip="192.0.2.1", severity=9)])
    assert before.id == after.id == "incident-a"


def test_the_worst_comes_first() -> None:
    incidents = incidents_of([found("a", severity=7, ip="192.0.2.1"), found("b", severity=9, ip="192.0.2.2")])
    assert [one.severity for one in incidents] == [9, 7]


def test_everything_is_bounded() -> None:
    rule = IncidentRule(max_findings=40, max_chapters=5, max_values=3, max_sentence=20)
    long = [
        found(f"f{n:03}", minute=n, ip="192.0.2.1", user=f"u{n}", severity=8 if n == 70 else 3, summary="x" * 99)
        for n in range(100)
    ]
    (incident,) = incidents_of(long, rule)
    assert len(incident.finding_ids) == 40
    assert [chapter.finding_id for chapter in incident.story] == ["f060", "f061", "f062", "f070", "f099"]
    assert len(incident.entities["user.name"]) == 3
    assert all(len(chapter.sentence) <= 20 for chapter in incident.story)


def test_a_grown_finding_counts_once() -> None:
    young, grown = found("a", ip="192.0.2.1"), found("a", ip="192.0.2.1", severity=8)
    (incident,) = incidents_of([young, grown])
    assert incident.finding_ids == ("a",)


def test_tags_are_read_in_every_spelling() -> None:
    assert tactics_of(("attack.Defense_Evasion", "attack.initial-access", "attack.t1078", "cve.2021-44228")) == (
        "initial access",
        "defense evasion",
    )
    assert techniques_of(("attack.T1110.001", "attack.t1110.001", "attack.g0007", "attack.t1")) == ("T1110.001",)


ROWS = st.tuples(
    st.integers(0, 600),
    st.integers(1, 10),
    st.sampled_from(["", "1", "2", "3", "4", "5"]),
    st.sampled_from(["", "u", "v"]),
    st.sampled_from(["", "h", "i"]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(ROWS, max_size=25), st.randoms(use_true_random=False))
def test_incidents_do_not_depend_on_the_order_and_part_the_findings(
    rows: list[tuple[int, int, str, str, str]], chance: random.Random
) -> None:
    findings = [
        found(f"f{n}", minute=minute, severity=severity, ip=ip, user=user, host=host)
        for n, (minute, severity, ip, user, host) in enumerate(rows)
    ]
    incidents = incidents_of(findings)
    shuffled = list(findings)
    chance.shuffle(shuffled)
    assert incidents_of(shuffled) == incidents
    told = [each for one in incidents for each in one.finding_ids]
    assert len(told) == len(set(told))
    assert all(1 <= one.severity <= 10 for one in incidents)
