"""What a rule file may say beyond plain Sigma: its own key, and conditions over rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from vedette.detection.sigma.loading import load_rules
from vedette.detection.sigma.occurrences import OccurrenceFault, occurrence_of, rules_in
from vedette.detection.sigma.own_keys import own_keys
from vedette.detection.sigma.rules import AllOccur, AnyOccurs, Occurs, OccursNot, OwnKeys

RULE = """\
title: {name}
id: {id}
name: {name}
logsource: {{category: authentication}}
detection:
  selection:
    event.action: {name}
  condition: selection
---
"""
A = RULE.format(name="first", id="0b7ca4bb-2f0a-4a8c-8b5e-0f6b31d8a001")
B = RULE.format(name="second", id="0b7ca4bb-2f0a-4a8c-8b5e-0f6b31d8a002")
CORRELATION = """\
title: Both
id: 0b7ca4bb-2f0a-4a8c-8b5e-0f6b31d8a003
correlation:
  type: {type}
  rules: [first, second]
  group-by: [source.ip]
  timespan: 5m
  condition: {condition}
"""


def test_the_own_key_is_read() -> None:
    keys, notes = own_keys(
        {"attempt": ["process.pid"], "weight": "repeated", "silent": True, "severity": {"success": 2}, "title": "{x}"}
    )
    assert notes == []
    assert keys == OwnKeys(
        attempt=("process.pid",), weight="repeated", silent=True, severity=(("success", 2),), title="{x}"
    )


@pytest.mark.parametrize(
    ("written", "part"),
    [
        ("yes", "no mapping"),
        ({"atempt": ["x"]}, "'atempt'"),
        ({"attempt": [{"x": 1}]}, "vedette.attempt"),
        ({"silent": "no"}, "vedette.silent"),
        ({"severity": {"a": True}}, "vedette.severity"),
        ({"severity": {"a": 100}}, "vedette.severity"),
        ({"title": "x" * 501}, "vedette.title"),
        ({"weight": 3}, "vedette.weight"),
    ],
)
def test_a_key_that_is_wrong_is_named_and_left_out(written: object, part: str) -> None:
    keys, ((reason, remedy, _),) = own_keys(written)
    assert part in reason
    assert remedy
    assert keys == OwnKeys()


def test_a_wrong_own_key_keeps_the_rule(tmp_path: Path) -> None:
    (tmp_path / "rule.yml").write_text(A.replace("---", "vedette: {silnet: true}"))
    rules = load_rules([tmp_path], pack="own")
    assert len(rules.detections) == 1
    assert "silnet" in str(rules.problems[0])


def test_conditions_over_rules_bind_not_before_and_before_or() -> None:
    tree = occurrence_of("a and not b or (c or d) and e")
    assert tree == AnyOccurs(
        (
            AllOccur((Occurs("a"), OccursNot(Occurs("b")))),
            AllOccur((AnyOccurs((Occurs("c"), Occurs("d"))), Occurs("e"))),
        )
    )
    assert rules_in(tree) == ("a", "b", "c", "d", "e")


@pytest.mark.parametrize(
    "text", ["", "a and", "a b", "(a", "a)", "or a", "not", "(" * 50 + "a" + ")" * 50, "a " * 9000]
)
def test_a_condition_that_cannot_be_read_says_so(text: str) -> None:
    with pytest.raises(OccurrenceFault):
        occurrence_of(text)


def test_a_condition_over_rules_is_loaded_with_ids(tmp_path: Path) -> None:
    condition = "first and not second"
    (tmp_path / "rule.yml").write_text(A + B + CORRELATION.format(type="temporal", condition=condition))
    rules = load_rules([tmp_path], pack="own")
    assert rules.problems == ()
    first, second = (rule.id for rule in rules.detections)
    assert rules.correlations[0].occurrence == AllOccur((Occurs(first), OccursNot(Occurs(second))))


@pytest.mark.parametrize(
    ("kind", "condition", "part"),
    [
        ("event_count", "first and second", "does not fit the type"),
        ("temporal", "first and (second", "not closed"),
        ("temporal", "first and third", "'second'"),
    ],
)
def test_a_wrong_condition_disables_only_its_rule(tmp_path: Path, kind: str, condition: str, part: str) -> None:
    (tmp_path / "rule.yml").write_text(A + B + CORRELATION.format(type=kind, condition=condition))
    rules = load_rules([tmp_path], pack="own")
    assert (len(rules.detections), rules.correlations) == (2, ())
    assert part in str(rules.problems[0])
