"""Advice on techniques ships, is whole, and reaches the findings."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from support.events import event_frame, finding
from vedette.analysis.advice import advice_on, steps_for, techniques
from vedette.analysis.severity import MAX_ACTIONS, SeverityAnalyser

_TECHNIQUES = """
T1110 T1110.001 T1110.003 T1110.004 T1078 T1098 T1098.004 T1136 T1053 T1053.003 T1053.005 T1543 T1543.002 T1543.003 T1059
T1059.001 T1059.003 T1059.004 T1059.006 T1190 T1505.003 T1070 T1070.001 T1070.002 T1070.003 T1070.004 T1562 T1562.001
T1562.004 T1548 T1548.003 T1068 T1046 T1595 T1021 T1021.001 T1021.004 T1071 T1071.001 T1071.004 T1572 T1041 T1567 T1486
T1490 T1489 T1496 T1003 T1552 T1556 T1557 T1498 T1499 T1204 T1566 T1218 T1027 T1105 T1133 T1199 T1087 T1069 T1082 T1018
T1033 T1530 T1537 T1580 T1525 T1610 T1611 T1612 T1613 T1083 T1048 T1574 T1547
"""
MOST_SEEN = _TECHNIQUES.split()


@pytest.mark.parametrize("identifier", MOST_SEEN)
def test_the_techniques_most_seen_are_known(identifier: str) -> None:
    assert identifier in techniques()


def test_every_advice_is_whole() -> None:
    for identifier, advice in techniques().items():
        assert re.fullmatch(r"T\d{4}(\.\d{3})?", identifier)
        assert advice.id == identifier
        assert advice.name
        assert re.fullmatch(r"[A-Z][^\n]{10,150}\.", advice.means)
        assert 2 <= len(advice.steps) <= 4
        assert all(re.fullmatch(r"[A-Z][^\n]{10,150}\.", step) for step in advice.steps), identifier


def test_a_sub_technique_speaks_for_its_technique_and_an_unknown_one_is_spoken_for() -> None:
    assert [one.id for one in advice_on(("attack.t1110", "attack.t1110.001", "attack.initial_access"))] == ["T1110.001"]
    assert [one.id for one in advice_on(("attack.t1110.002", "attack.t1110"))] == ["T1110"]
    assert advice_on(("attack.t9999", "cve.2021-44228")) == ()


def test_the_first_steps_of_all_techniques_come_first() -> None:
    first, second = techniques()["T1110"].steps[0], techniques()["T1136"].steps[0]
    assert steps_for(("attack.t1110", "attack.t1136"), 6)[:2] == (first, second)
    assert len(steps_for([f"attack.{each.lower()}" for each in MOST_SEEN], 6)) == 6


def test_actions_come_from_the_rule_then_the_techniques_then_the_category() -> None:
    def actions(*given: str, tags: tuple[str, ...] = ("attack.t1110",), category: str = "web") -> tuple[str, ...]:
        bare = replace(finding(), actions=given, tags=tags, category=category)
        return SeverityAnalyser().analyse(event_frame([]), [bare])[1][0].actions

    known = techniques()["T1110"].steps
    assert actions() == known
    assert actions("Call Anna.") == ("Call Anna.", *known)
    assert actions("One.", "Two.", "Three.") == ("One.", "Two.", "Three.")
    assert len(actions(tags=("attack.t1110", "attack.t1136", "attack.t1486"))) == MAX_ACTIONS
    assert actions(tags=()) != actions(tags=(), category="file")
    assert actions(tags=("attack.t9999",), category="") != ()
