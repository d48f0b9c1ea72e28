"""Sigma rules and events for tests, written short."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent
from typing import Any

import polars as pl

from vedette.detection.sigma.loading import load_rules
from vedette.detection.sigma.rules import DetectionRule, RuleSet
from vedette.model.events import EVENT_SCHEMA

SYSMON = "Microsoft-Windows-Sysmon/Operational"


def rules_in(folder: Path, *documents: str, name: str = "rules.yml") -> RuleSet:
    """The rules of one file of these documents."""
    (folder / name).write_text("\n---\n".join(dedent(one).strip("\n") + "\n" for one in documents), "utf-8")
    return load_rules([folder / name], pack="test")


def rule_of(
    folder: Path, detection: str, logsource: str = "{product: windows, category: process_creation}"
) -> DetectionRule:
    """A rule with this detection; it must be right."""
    body = dedent(detection).strip("\n").replace("\n", "\n  ")
    read = rules_in(folder, f"title: One\nlogsource: {logsource}\ndetection:\n  {body}\n")
    assert not read.problems, read.problems
    return read.detections[0]


def events_of(*rows: dict[str, Any]) -> pl.DataFrame:
    full = [{name: row.get(name) for name in EVENT_SCHEMA} for row in rows]
    return pl.DataFrame(full, schema=EVENT_SCHEMA)


def windows(channel: str, number: int, **values: str) -> dict[str, Any]:
    """A Windows event as the format makes one."""
    members = {"Channel": channel, "EventID": str(number), **values}
    text = json.dumps(dict(sorted(members.items())), ensure_ascii=False, separators=(",", ":"))
    return {"log.format": "windows-event", "event.original": text, "message": text, "fields": text}


def process(**values: str) -> dict[str, Any]:
    """Sysmon's event 1."""
    return windows(SYSMON, 1, **values)


def json_line(**values: Any) -> dict[str, Any]:
    """A line of some JSON log."""
    text = json.dumps(values)
    return {"log.format": "json-lines", "event.original": text, "message": text, "fields": text}
