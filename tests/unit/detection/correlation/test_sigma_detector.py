"""Which rules speak, how findings grow, what survives a change of rules, and that everything is bounded."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest
import zstandard

from support.correlating import (
    NOW,
    START,
    ActionMatcher,
    detector_of,
    event,
    found,
    frame,
    on,
    rule_set,
    together,
)
from vedette.detection.correlation.correlator import Correlator
from vedette.detection.sigma.rules import (
    AllOccur,
    CorrelationRule,
    DetectionRule,
    LogSource,
    Occurs,
    OccursNot,
    OwnKeys,
)
from vedette.detection.sigma_detector import SigmaDetector
from vedette.model.events import event_id
from vedette.model.findings import Finding

THREE = together("event_count", "a", conditions=(("gte", 3),))


def state_of(detector: SigmaDetector) -> Any:
    return json.loads(zstandard.decompress(detector.snapshot() or b""))


def ids(findings: list[Finding]) -> list[str]:
    return [finding.rule_id for finding in findings]


# --- single rules -----------------------------------------------------------------------------------------


def test_a_single_rule_makes_one_finding_for_each_entity_that_grows() -> None:
    detector = detector_of(on("a"))
    rows = [event(number, source_ip=f"203.0.113.{number % 2}") for number in range(10)]
    first, second = detector.inspect(frame(rows), NOW)
    assert (first.event_count, second.event_count) == (5, 5)
    (grown,) = detector.inspect(frame([event(60, source_ip="203.0.113.0")], 10), NOW)
    assert (grown.id, grown.event_count, grown.first_seen) == (first.id, 6, START)


def test_a_finding_of_a_single_rule_ends_after_an_hour() -> None:
    rows = [event(0), event(3600), event(3601)]
    first, second = found(detector_of(on("a")), rows)
    assert (first.event_count, second.event_count) == (2, 1)


def test_rules_about_processes_are_told_apart_by_host_and_user() -> None:
    rule = on("a", logsource=LogSource(product="linux", category="process_creation"))
    rows = [event(0, user_name="anna"), event(1, user_name="bob"), event(2, user_name="anna", source_ip="203.0.113.5")]
    first, second = found(detector_of(rule), rows)
    assert (first.entity["user.name"], first.entity["host.name"], first.event_count) == ("anna", "bastion", 2)
    assert second.entity["user.name"] == "bob"


def test_the_evidence_of_a_single_rule_names_clause_value_and_event() -> None:
    (finding,) = found(detector_of(on("a", level="high")), [event(number) for number in range(5)])
    assert [one.event_id for one in finding.evidence] == [event_id(1, number) for number in range(3)]
    assert finding.evidence[0].clause == "event.action contains a"
    assert finding.evidence[0].value in finding.evidence[0].text
    assert finding.severity == 7
    assert finding.event_ids == tuple(event_id(1, number) for number in range(5))


def test_repetition_alone_makes_no_medium_finding_high() -> None:
    rows = [event(number, host_name=f"host{number % 5}") for number in range(500)]
    (finding,) = found(detector_of(on("a", level="medium")), rows)
    assert finding.severity == 6


# --- which rules speak ------------------------------------------------------------------------------------


def test_a_rule_that_a_correlation_refers_to_is_silent() -> None:
    assert ids(found(detector_of(on("a"), THREE), [event(number) for number in range(3)])) == ["all"]


def test_a_correlation_that_generates_lets_its_rules_speak() -> None:
    detector = detector_of(on("a"), replace(THREE, generate=True))
    assert ids(found(detector, [event(number) for number in range(3)])) == ["a", "all"]


def test_a_silent_rule_stays_silent_even_then() -> None:
    detector = detector_of(on("a", own=OwnKeys(silent=True)), replace(THREE, generate=True))
    assert ids(found(detector, [event(number) for number in range(3)])) == ["all"]


def test_an_exception_hides_a_match_from_its_rule_and_from_a_correlation() -> None:
    def hides_root(rule_ids: Any, matches: pl.DataFrame, events: pl.DataFrame, now: datetime) -> pl.Series:
        assert now == NOW
        users = events.get_column("user.name").gather(matches.get_column("row"))
        return (users == "root").fill_null(value=False) & pl.Series([rule_ids[one] != "b" for one in matches["rule"]])

    rows = [event(number, "ab", user_name="root") for number in range(5)]
    assert ids(found(detector_of(on("a"), on("b"), THREE, exclusions=hides_root), rows)) == ["b"]
    over_b = together("event_count", "b", conditions=(("gte", 3),))
    assert found(detector_of(on("b"), over_b, exclusions=hides_root), rows) == []


# --- correlations -----------------------------------------------------------------------------------------


def test_aliases_let_rules_name_the_same_thing_differently() -> None:
    rule = together("temporal", "a", "b", by=("who",), aliases={"who": {"a": "user.name", "b": "target"}})
    rows = [event(0, "a", user_name="anna"), event(1, "b", fields='{"target":"anna"}')]
    (finding,) = found(detector_of(on("a"), on("b"), rule), rows)
    assert "anna" in finding.entity.values()
    assert found(detector_of(on("a"), on("b"), rule), [rows[0], event(1, "b", fields='{"target":"bob"}')]) == []


def test_an_event_without_a_key_is_left_out() -> None:
    rows = [event(number, source_ip=None) for number in range(9)]
    assert found(detector_of(on("a"), THREE), rows) == []


def test_an_event_that_two_rules_match_counts_once() -> None:
    rule = together("event_count", "a", "b", conditions=(("gte", 3),))
    detector = detector_of(on("a"), on("b"), rule)
    assert found(detector, [event(0, "ab"), event(1, "ab")]) == []
    (finding,) = detector.inspect(frame([event(2, "ab")], 2), NOW)
    assert finding.event_count == 3


def test_a_correlation_of_a_sequence_shows_each_of_its_events() -> None:
    rule = together("temporal_ordered", "a", "b", "c")
    rows = [event(0, "a"), event(5, "b"), event(10, "c")]
    (finding,) = found(detector_of(on("a"), on("b"), on("c"), rule), rows)
    assert [one.event_id for one in finding.evidence[1:]] == [event_id(1, number) for number in range(3)]
    assert [one.clause for one in finding.evidence[1:3]] == ["Saw a", "Saw b"]
    assert finding.evidence[1].text == "a happened"
    assert found(detector_of(on("a"), on("b"), on("c"), rule), rows[::-1])  # it is the time that orders


def test_findings_of_a_rule_count_once_for_the_rules_over_it_however_long_they_go_on() -> None:
    over = together("event_count", "all", by=("host.name",), conditions=(("gte", 2),), seconds=600, identifier="spread")
    rows = [event(number) for number in range(0, 500, 5)]
    assert found(detector_of(on("a"), THREE, over), rows) == []
    rows += [event(500 + number, source_ip="203.0.113.9") for number in range(3)]
    assert ids(found(detector_of(on("a"), THREE, over), rows)) == ["spread"]


def test_what_must_not_follow_is_judged_when_its_time_is_over() -> None:
    absent = AllOccur((Occurs("a"), OccursNot(Occurs("b"))))
    rule = together("temporal", "a", "b", occurrence=absent, seconds=20)
    detector = detector_of(on("a"), on("b"), rule)
    assert detector.inspect(frame([event(0, "a"), event(80, "x")]), NOW) == []
    assert ids(detector.inspect(frame([event(81, "x")], 2), NOW)) == ["all"]
    assert found(detector_of(on("a"), on("b"), rule), [event(0, "a"), event(9, "b"), event(200, "x")]) == []


def test_what_waits_for_its_end_is_judged_when_nothing_more_comes() -> None:
    few = together("event_count", "a", conditions=(("lt", 3),), identifier="few")
    detector = detector_of(on("a"), few, together("event_count", "few", conditions=(("gte", 1),), identifier="over"))
    assert found(detector, [event(0), event(100), event(101), event(102)]) != []
    assert detector.finish(NOW) == []
    assert found(detector, [event(300), event(301)]) == []
    (told,) = detector.finish(NOW)
    assert (told.rule_id, told.event_count, told.first_seen) == ("over", 1, START + timedelta(seconds=300))
    assert detector.finish(NOW) == []


def test_only_windows_that_are_over_by_then_are_judged_where_a_moment_is_given() -> None:
    detector = detector_of(on("a"), together("event_count", "a", conditions=(("lt", 3),)))
    rows = [event(0, source_ip="203.0.113.1"), event(60, source_ip="203.0.113.2")]
    found(detector, rows)
    told = detector.finish(NOW, until=START + timedelta(seconds=20 + 60))
    assert [one.entity["source.ip"] for one in told] == ["203.0.113.1"]


def test_a_correlation_that_leads_back_to_itself_is_left_out_and_the_rest_works() -> None:
    one = together("event_count", "two", conditions=(("gte", 1),), identifier="one")
    two = together("event_count", "one", conditions=(("gte", 1),), identifier="two")
    assert ids(found(detector_of(on("a"), one, two, THREE), [event(number) for number in range(3)])) == ["all"]


def test_lines_of_an_attempt_count_once_and_repeated_lines_as_often_as_they_say() -> None:
    rule = on("a", own=OwnKeys(attempt=("process.pid", "host.name"), weight="repeated"))
    lines = [event(number, action, process_pid=7) for number, action in enumerate(("a", "a pam", "a login"))]
    assert found(detector_of(rule, THREE), lines) == []
    (finding,) = found(detector_of(rule, THREE), [*lines, event(4, fields='{"repeated":"2"}')])
    assert finding.event_count == 3


# --- words ------------------------------------------------------------------------------------------------


def test_a_rule_may_say_what_its_findings_are_called_and_hostile_values_stay_text() -> None:
    own = OwnKeys(title="{source.ip} did it", summary="{count} times{hosts}{users}.", severity=(("odd", 1),))
    rule = replace(THREE, own=own, actions=("kill {user.name}", "see {unknown.word}"), level="low")
    rows = [event(number, user_name="{count}; rm") for number in range(3)]
    (finding,) = found(detector_of(on("a"), rule), rows)
    assert finding.title == "203.0.113.77 did it"
    assert finding.summary == "3 times on bastion, all as {count}; rm."
    assert finding.actions == ("kill '{count}; rm'", "see WORD")
    assert [(one.reason, one.amount) for one in finding.factors] == [("rule level low", 3), ("odd", 1)]


# --- changing rules ---------------------------------------------------------------------------------------


def use(detector: SigmaDetector, *rules: DetectionRule | CorrelationRule) -> None:
    given = rule_set(*rules)
    detector.use(given, ActionMatcher(given.detections))


def test_windows_of_rules_that_stay_the_same_survive_a_change_of_rules() -> None:
    detector = detector_of(on("a"), THREE)
    detector.inspect(frame([event(0), event(1)]), NOW)
    use(detector, on("b"), on("a"), replace(THREE, title="Other words"))
    (finding,) = detector.inspect(frame([event(2)], 2), NOW)
    assert (finding.rule_name, finding.event_count) == ("Other words", 3)


def test_windows_of_a_rule_that_means_something_else_begin_anew() -> None:
    detector = detector_of(on("a"), THREE)
    detector.inspect(frame([event(0), event(1)]), NOW)
    use(detector, on("a"), replace(THREE, timespan=timedelta(seconds=30)))
    assert detector.inspect(frame([event(2)], 2), NOW) == []


def test_the_state_of_rules_that_are_gone_is_dropped() -> None:
    detector = detector_of(on("a"), on("b"), THREE)
    detector.inspect(frame([event(0, "ab"), event(1, "ab")]), NOW)
    state = detector.snapshot()
    assert state is not None
    other = detector_of(on("c"))
    other.restore(state)
    other.inspect(frame([event(2, "c")], 2), NOW)
    kept = state_of(other)
    assert (list(kept["single"]["rules"]), kept["correlations"]) == (["c"], {})


@pytest.mark.parametrize(
    "state",
    [b"", b"nonsense", zstandard.compress(b"{}"), zstandard.compress(b'{"version":99}'), zstandard.compress(b"[1]")],
)
def test_an_unreadable_state_starts_empty(state: bytes) -> None:
    detector = detector_of(on("a"), THREE)
    detector.inspect(frame([event(0), event(1)]), NOW)
    detector.restore(state)
    assert detector.inspect(frame([event(2)], 2), NOW) == []
    assert ids(detector.inspect(frame([event(3), event(4)], 3), NOW)) == ["all"]


def test_a_state_that_is_damaged_inside_starts_empty_as_a_whole() -> None:
    detector = detector_of(on("a"), THREE)
    detector.inspect(frame([event(0), event(1)]), NOW)
    state = state_of(detector)
    state["correlations"]["all"][1]["keys"] = {"x": {"e": [{"l": 1}], "t": []}}
    detector.restore(zstandard.compress(json.dumps(state).encode()))
    assert detector.inspect(frame([event(2)], 2), NOW) == []


def test_nothing_is_written_while_nothing_changes() -> None:
    detector = detector_of(on("a"), THREE)
    assert detector.snapshot() is None
    detector.inspect(frame([event(0, "x")]), NOW)
    assert detector.snapshot() is None
    detector.inspect(frame([event(0)], 1), NOW)
    assert detector.snapshot() is not None
    assert detector.snapshot() is None


# --- bounds -----------------------------------------------------------------------------------------------


def test_keys_of_a_correlation_are_bounded_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Correlator.__init__

    def small(self: Correlator, *args: Any, **more: Any) -> None:
        made(self, *args, **(more | {"max_keys": 50}))

    monkeypatch.setattr(Correlator, "__init__", small)
    detector = detector_of(on("a"), THREE)
    rows = [event(number / 10, source_ip=f"198.51.100.{number}") for number in range(200)]
    found(detector, rows)
    assert detector.evicted == 150
    assert len(state_of(detector)["correlations"]["all"][1]["keys"]) == 50


def test_an_attack_from_everywhere_leaves_the_latest_keys_and_hides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Correlator.__init__

    def small(self: Correlator, *args: Any, **more: Any) -> None:
        made(self, *args, **(more | {"max_keys": 50}))

    monkeypatch.setattr(Correlator, "__init__", small)
    rows = [event(number / 10, source_ip=f"198.51.100.{number}") for number in range(200)]
    for number in (0, 3, 6, 9):
        rows[number]["source.ip"] = "203.0.113.1"
    detector = detector_of(on("a"), THREE)
    detector.inspect(frame([event(0, source_ip="203.0.113.2"), event(0, source_ip="203.0.113.2")]), NOW)
    rows[1]["source.ip"] = "203.0.113.2"
    findings = detector.inspect(frame(rows, 2), NOW)
    assert {one.entity["source.ip"]: one.event_count for one in findings} == {"203.0.113.1": 4, "203.0.113.2": 3}
    assert list(state_of(detector)["correlations"]["all"][1]["keys"]) == [f"198.51.100.{n}" for n in range(150, 200)]
    assert detector.evicted == 197 - 50


def test_windows_of_single_rules_are_bounded_and_counted() -> None:
    detector = detector_of(on("a"))
    rows = [event(number / 10, source_ip=f"198.51.{number // 250}.{number % 250}") for number in range(600)]
    found(detector, rows)
    assert len(state_of(detector)["single"]["rules"]["a"]) == 512
    assert detector.evicted == 88


def test_what_is_over_is_forgotten_uncounted() -> None:
    detector = detector_of(on("a"), on("b"), THREE)
    detector.inspect(frame([event(0, "ab", source_ip="198.51.100.1")]), NOW)
    rows = [event(9000, "ab", source_ip="198.51.100.2")]
    detector.inspect(frame(rows, 1), NOW + timedelta(hours=3))
    state = state_of(detector)
    assert list(state["correlations"]["all"][1]["keys"]) == ["198.51.100.2"]
    assert len(state["single"]["rules"]["b"]) == 1
    assert detector.evicted == 0


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("event_count", {"conditions": (("gte", 1e9),)}),
        ("value_count", {"conditions": (("gte", 500),), "value_field": "user.name"}),
        ("value_sum", {"conditions": (("gte", 1e12),), "value_field": "bytes"}),
        ("value_median", {"conditions": (("gte", 1e12),), "value_field": "bytes"}),
        ("temporal_ordered", {}),
        ("event_count", {"conditions": (("lt", 5),)}),
    ],
)
def test_a_window_that_never_fills_stays_small(kind: str, more: dict[str, Any]) -> None:
    parts = ("a", "b") if kind.startswith("temporal") else ("a",)
    detector = detector_of(on("a"), on("b"), together(kind, *parts, seconds=3600, **more))
    rows = [event(n / 10, user_name=f"user{n % 7}", fields=f'{{"bytes":"{n % 13}"}}') for n in range(20_000)]
    for begin in range(0, 20_000, 5_000):
        assert detector.inspect(frame(rows[begin : begin + 5_000], begin), NOW) == []
    assert len(zstandard.decompress(detector.snapshot() or b"")) < 600_000


def test_endless_names_and_values_keep_the_state_small() -> None:
    rule = together("value_count", "a", by=("host.name",), conditions=(("gte", 99),), value_field="user.name")
    rows = [event(n, "ab", user_name=f"{n}" + "x" * 100_000, host_name="y" * 100_000) for n in range(50)]
    detector = detector_of(on("a"), on("b"), rule)
    (finding,) = found(detector, rows)
    assert len(finding.entity["source.ip"]) < 500
    assert len(zstandard.decompress(detector.snapshot() or b"")) < 200_000


def test_a_sum_over_more_events_than_are_remembered_singly_is_right() -> None:
    rule = together("value_sum", "a", conditions=(("gte", 30_000),), value_field="bytes", seconds=3600)
    rows = [event(n / 10, fields='{"bytes":"2"}') for n in range(15_000)]
    detector = detector_of(on("a"), rule)
    assert detector.inspect(frame(rows[:14_999]), NOW) == []
    (finding,) = detector.inspect(frame(rows[14_999:], 14_999), NOW)
    assert (finding.event_count, finding.details["measure"]) == (15_000, 30_000)
