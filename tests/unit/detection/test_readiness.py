"""Readiness: whether a rule could fire, and what it waits for."""

from __future__ import annotations

import json

import pytest

from support.events import event_frame
from vedette.detection.deliveries import SampledDeliveries
from vedette.detection.readiness import can_hold, fields_of, readiness_of
from vedette.detection.sigma.rules import (
    AllOf,
    AnyOf,
    Clause,
    CorrelationRule,
    CorrelationType,
    DetectionRule,
    LogSource,
    Node,
    Not,
    Operator,
    RuleSet,
)

SSHD = LogSource(service="sshd")


def clause(field: str | None, operator: Operator = Operator.EQUALS, value: str = "x") -> Clause:
    return Clause(field, operator, value, f"{field} {operator} {value}")


def detection(identifier: str, condition: Node, logsource: LogSource = SSHD) -> DetectionRule:
    return DetectionRule(id=identifier, title=identifier, logsource=logsource, condition=condition)


class Delivered:
    """These fields, of the logs of sshd."""

    def __init__(self, *fields: str) -> None:
        self._fields = fields

    def has_logs(self, logsource: LogSource) -> bool:
        return logsource.service == "sshd"

    def has_values(self, logsource: LogSource, field: str) -> bool:
        return field in self._fields


@pytest.mark.parametrize(
    ("condition", "needs"),
    [
        (clause("a"), ()),
        (clause("z"), ("z",)),
        (AllOf((clause("a"), clause("z"))), ("z",)),
        (AnyOf((clause("a"), clause("z"))), ()),
        (AnyOf((AllOf((clause("y"), clause("z"))), clause("x"))), ("x",)),
        (AllOf((clause("a"), Not(clause("z")))), ()),
        (clause("z", Operator.IS_NULL), ()),
        (clause("z", Operator.EXISTS, "false"), ()),
        (clause("z", Operator.EXISTS, "true"), ("z",)),
        (clause("a", Operator.SAME_AS, "z"), ("z",)),
        (clause(None), ()),
    ],
)
def test_rule_waits_for_the_fields_without_which_it_can_never_hold(condition: Node, needs: tuple[str, ...]) -> None:
    known = readiness_of(RuleSet((detection("r", condition),)), Delivered("a"))
    assert known["r"].needs == needs
    assert known["r"].is_ready == (not needs)


def test_rule_waits_for_its_logs() -> None:
    known = readiness_of(RuleSet((detection("r", clause("a"), LogSource(product="windows")),)), Delivered("a"))
    assert str(known["r"]) == "needs logs of product: windows, no source delivers it"


def test_correlation_waits_for_one_of_what_it_counts_and_for_all_of_a_sequence() -> None:
    def correlation(identifier: str, kind: CorrelationType, *rules: str) -> CorrelationRule:
        from datetime import timedelta

        return CorrelationRule(
            id=identifier, title=identifier, type=kind, rules=rules, group_by=(), timespan=timedelta(minutes=1)
        )

    rules = RuleSet(
        (detection("ready", clause("a")), detection("waiting", clause("z"))),
        (
            correlation("count", CorrelationType.EVENT_COUNT, "ready", "waiting"),
            correlation("sequence", CorrelationType.TEMPORAL_ORDERED, "ready", "waiting"),
            correlation("over", CorrelationType.TEMPORAL, "count"),
            correlation("circle", CorrelationType.TEMPORAL, "circle"),
        ),
    )
    known = readiness_of(rules, Delivered("a"))
    assert {name for name, one in known.items() if one.is_ready} == {"ready", "count", "over"}
    assert known["sequence"].needs == ("z",)


def test_condition_that_never_holds_is_known() -> None:
    never = clause("a", Operator.NEVER)
    assert not can_hold(never)
    assert not can_hold(AllOf((clause("a"), never)))
    assert can_hold(AnyOf((clause("a"), never)))
    assert can_hold(Not(never))
    assert fields_of(AllOf((clause("b"), AnyOf((clause("a"), clause("b"), clause(None)))))) == ("b", "a")


def test_events_deliver_their_logs_and_fields() -> None:
    process = {"Channel": "Microsoft-Windows-Sysmon/Operational", "EventID": "1", "Image": r"C:\x.exe"}
    events = event_frame(
        [
            {"log.format": "syslog-rfc3164/sshd", "process.name": "sshd", "user.name": "root"},
            {"log.format": "windows-event", "fields": json.dumps(process, separators=(",", ":"))},
        ]
    )
    seen = SampledDeliveries()
    creation, network = (
        LogSource(product="windows", category=name) for name in ("process_creation", "network_connection")
    )
    assert not seen.has_logs(creation)
    seen.add(events)
    assert seen.has_logs(SSHD)
    assert seen.has_logs(creation)
    assert not seen.has_logs(network)
    assert seen.has_values(creation, "Image")
    assert not seen.has_values(creation, "CommandLine")
    assert seen.has_values(SSHD, "user.name")
    assert not seen.has_values(SSHD, "source.ip")
    seen.add_rows([{"log.format": "windows-event", "fields": process | {"CommandLine": "x"}}])
    assert seen.has_values(creation, "CommandLine")
    assert seen.events == 2
