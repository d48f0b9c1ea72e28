"""A match says which clauses hold, in which column, and which part of the value matched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support.sigma_events import events_of, process, rule_of
from vedette.detection.sigma.matching import RuleMatcher
from vedette.model.findings import Evidence


def evidence(folder: Path, detection: str, *, logsource: str | None = None, **event: Any) -> list[Evidence]:
    matcher = RuleMatcher([rule_of(folder, detection, *([logsource] if logsource else []))])
    events = events_of(event)
    assert matcher.match(events).height == 1
    return list(matcher.evidence(0, events.row(0, named=True)))


def test_clauses_name_column_and_matched_part(tmp_path: Path) -> None:
    detection = """
    tool:
      Image|endswith: '\\vssadmin.exe'
      CommandLine|contains|all: [delete, Shadows]
    other:
      CommandLine|contains: nothing of the kind
    admin:
      User: root
    condition: (tool or other) and not admin
    """
    event = process(Image="C:\\VSSADMIN.EXE", CommandLine="vssadmin DELETE shadows", User="bob")
    placed: dict[str, Any] = event | {"vedette.generation": 1, "log.offset": 16}
    found = evidence(tmp_path, detection, **placed)
    assert [(one.clause, one.column, one.value) for one in found] == [
        ('Image ends with "\\vssadmin.exe"', "fields.Image", "\\VSSADMIN.EXE"),
        ('CommandLine contains "delete"', "fields.CommandLine", "DELETE"),
        ('CommandLine contains "Shadows"', "fields.CommandLine", "shadows"),
    ]
    assert {one.event_id for one in found} == {"0000000000000001-10"}
    assert {one.text for one in found} == {event["event.original"]}


def test_columns_keywords_and_expressions_are_located(tmp_path: Path) -> None:
    line = {
        "log.format": "syslog-rfc3164/sshd",
        "user.name": "root",
        "event.original": "Jan 1 sshd: Failed for root port 4711",
    }
    detection = (
        "words: [failed]\nport:\n  '|re': 'port [0-9]+'\nuser:\n  user.name: ROOT\ncondition: words and port and user"
    )
    found = evidence(tmp_path, detection, logsource="{product: linux, service: sshd}", **line)
    assert [(one.column, one.value) for one in found] == [
        ("event.original", "Failed"),
        ("event.original", "port 4711"),
        ("user.name", "root"),
    ]


def test_evidence_is_bounded_and_shows_the_surroundings_of_the_match(tmp_path: Path) -> None:
    long = "a" * 50_000 + " evil " + "b" * 50_000
    detection = (
        "sel:\n  CommandLine|contains|all: [evil, "
        + ", ".join("ab"[n % 2] * (n + 2) for n in range(40))
        + "]\ncondition: sel"
    )
    found = evidence(tmp_path, detection, **process(CommandLine=long))
    assert len(found) == 12
    assert " evil " in found[0].text
    assert all(len(one.text) <= 2_000 and len(one.value) <= 400 for one in found)
