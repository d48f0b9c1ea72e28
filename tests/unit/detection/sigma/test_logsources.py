"""Rules see the events their logsource is about, and no others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.sigma_events import SYSMON, events_of, process, rule_of, rules_in, windows
from vedette.detection.sigma.logsources import logsource_map
from vedette.detection.sigma.matching import RuleMatcher, field_values
from vedette.detection.sigma.rules import LogSource

ANYTHING = "sel:\n  nothing|exists: false\ncondition: sel"


def syslog(program: str, **columns: Any) -> dict[str, Any]:
    return {
        "log.format": f"syslog-rfc3164/{program}",
        "process.name": program,
        "event.original": "x",
        "message": "x",
        **columns,
    }


EVENTS = {
    "sysmon 1": process(Image="a"),
    "sysmon 3": windows(SYSMON, 3),
    "sysmon 22": windows(SYSMON, 22),
    "security 4688": windows("Security", 4688),
    "security 4625": windows("Security", 4625),
    "system": windows("System", 7045),
    "4104": windows("Microsoft-Windows-PowerShell/Operational", 4104),
    "sshd": syslog("sshd", **{"event.category": "authentication"}),
    "sudo": syslog("sudo"),
    "cron": syslog("/usr/sbin/cron"),
    "execve": {"log.format": "auditd", "fields": '{"type":"EXECVE"}'},
    "access": {"log.format": "http-access", "event.category": "web"},
    "postgresql": {"log.format": "postgresql", "event.category": "database"},
    "cloudtrail": {"log.format": "aws-cloudtrail", "fields": "{}"},
}


@pytest.mark.parametrize(
    ("logsource", "expected"),
    [
        ("{product: windows, category: process_creation}", {"sysmon 1", "security 4688"}),
        ("{product: windows, category: network_connection}", {"sysmon 3"}),
        ("{product: windows, category: dns_query}", {"sysmon 22"}),
        ("{product: windows, category: ps_script}", {"4104"}),
        ("{product: windows, service: security}", {"security 4688", "security 4625"}),
        ("{product: windows, service: system}", {"system"}),
        (
            "{product: windows}",
            {"sysmon 1", "sysmon 3", "sysmon 22", "security 4688", "security 4625", "system", "4104"},
        ),
        ("{product: linux}", {"sshd", "sudo", "cron", "execve"}),
        ("{product: linux, service: sshd}", {"sshd"}),
        ("{product: linux, service: cron}", {"cron"}),
        ("{product: linux, service: auditd}", {"execve"}),
        ("{product: linux, category: process_creation}", {"execve"}),
        ("{category: webserver}", {"access"}),
        ("{category: authentication}", {"sshd"}),
        ("{category: database}", {"postgresql"}),
        ("{product: aws, service: cloudtrail}", {"cloudtrail"}),
        ("{product: postgresql}", {"postgresql"}),
    ],
)
def test_a_rule_is_about_its_logsource_only(tmp_path: Path, logsource: str, expected: set[str]) -> None:
    matcher = RuleMatcher([rule_of(tmp_path, ANYTHING, logsource)])
    found = matcher.match(events_of(*EVENTS.values()))["row"]
    assert {list(EVENTS)[row] for row in found} == expected
    assert not matcher.problems


def test_an_unknown_logsource_is_named_and_looked_for_by_name(tmp_path: Path) -> None:
    matcher = RuleMatcher([rule_of(tmp_path, ANYTHING, "{product: frobnicator}")])
    assert "'frobnicator'" in matcher.problems[0].reason
    assert matcher.problems[0].line == 1
    events = events_of(*EVENTS.values(), {"log.format": "json-lines", "process.name": "frobnicator"})
    assert matcher.match(events)["row"].to_list() == [len(EVENTS)]


def test_fields_of_security_events_answer_to_the_names_of_sysmon(tmp_path: Path) -> None:
    rule = rule_of(
        tmp_path, "sel:\n  Image|endswith: '\\cmd.exe'\n  ParentImage|endswith: '\\w3wp.exe'\ncondition: sel"
    )
    flat = windows("Security", 4688, NewProcessName="C:\\cmd.exe", ParentProcessName="C:\\w3wp.exe")
    assert RuleMatcher([rule]).match(events_of(flat)).height == 1


def test_web_fields_are_columns_and_parts_of_the_url(tmp_path: Path) -> None:
    event = {
        "log.format": "http-access", "event.category": "web", "http.request.method": "POST", "http.response.status_code": 200,
        "url.original": "https://shop.example:8443/a/b.PHP?id=1", "user_agent.original": "curl/8", "source.ip": "192.0.2.1",
    }  # fmt: skip
    logsource = LogSource(category="webserver")
    events = events_of(event)
    expected = {"cs-method": "POST", "sc-status": "200", "cs-uri-stem": "/a/b.PHP", "c-uri-query": "id=1", "c-ip": "192.0.2.1",
                "c-uri-extension": "PHP", "cs-host": "shop.example", "cs-user-agent": "curl/8", "CS-Method": "POST"}  # fmt: skip
    for field, value in expected.items():
        assert field_values(events, field, logsource=logsource).to_list() == [value], field


def test_field_values_have_one_row_an_event(tmp_path: Path) -> None:
    events = events_of(
        process(A="x"), syslog("sshd", **{"user.name": "root"}), process(A="y"), {"fields": '{"A":["p","q"]}'}
    )
    assert field_values(events, "A").to_list() == ["x", None, "y", "p q"]
    assert field_values(events, "user.name").to_list() == [None, "root", None, None]
    assert field_values(events.clear(), "A").to_list() == []


def test_a_rule_of_which_the_event_id_decides_needs_no_more(tmp_path: Path) -> None:
    rule = rule_of(
        tmp_path,
        "sel:\n  EventID: [4720, 4625]\nother:\n  EventID: 4720\ncondition: sel and not other",
        "{product: windows, service: security}",
    )
    events = events_of(
        windows("Security", 4625), windows("Security", 4720), windows("Security", 1), windows("System", 4625)
    )
    assert RuleMatcher([rule]).match(events)["row"].to_list() == [0]


def test_matches_are_sorted_by_row_and_rule(tmp_path: Path) -> None:
    logsource = "{{product: windows, category: process_creation}}"
    document = f"title: {{}}\nlogsource: {logsource}\ndetection:\n  sel:\n    A: '*'\n  condition: sel\n"
    read = rules_in(tmp_path, *(document.format(name) for name in "abc"))
    found = RuleMatcher(read.detections).match(events_of(process(A="1"), process(B="1"), process(A="1")))
    assert list(found.iter_rows()) == [(0, 0), (1, 0), (2, 0), (0, 2), (1, 2), (2, 2)]
    assert found.columns == ["rule", "row"]


def test_files_that_a_firewall_appliance_creates_have_a_log_source() -> None:
    logsource = LogSource(product="paloalto", category="file_event", service="globalprotect")
    test, unknown = logsource_map().test(logsource)
    assert (test.fits({"log.format": "palo-alto-log"}), test.fits({"log.format": "sshd"}), list(unknown)) == (
        True,
        False,
        [],
    )
