"""Sigma's meaning, plainly: every rule on every event, one after the other, with nothing but Python's own texts and `re`."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from vedette.detection.sigma.fields import field_map
from vedette.detection.sigma.logsources import logsource_map
from vedette.detection.sigma.rules import AllOf, AnyOf, Clause, DetectionRule, Node, Not, Operator
from vedette.model.events import EVENT_SCHEMA


def matches(rules: Sequence[DetectionRule], events: pl.DataFrame) -> set[tuple[int, int]]:
    """(place of the rule, row of the event)."""
    rows = list(events.iter_rows(named=True))
    return {
        (place, row)
        for place, rule in enumerate(rules)
        for row, event in enumerate(rows)
        if is_about(rule, event) and holds(rule.condition, event, rule)
    }


def is_about(rule: DetectionRule, event: Mapping[str, Any]) -> bool:
    members = json.loads(event["fields"]) if event["fields"] else {}
    kind = {name: _small(event[name]) for name in ("log.format", "event.category", "event.action", "process.name")}
    if (kind["log.format"] or "").split("/")[-1] in {"windows-event", "auditd"}:
        kind |= {name: _small(members.get(name)) for name in ("Channel", "EventID", "Provider_Name", "type")}
    return logsource_map().test(rule.logsource)[0].fits(kind)


def _small(value: Any) -> str | None:
    return None if value is None else str(value).lower()


def holds(node: Node, event: Mapping[str, Any], rule: DetectionRule) -> bool:
    match node:
        case AllOf(members):
            return all(holds(one, event, rule) for one in members)
        case AnyOf(members):
            return any(holds(one, event, rule) for one in members)
        case Not(member):
            return not holds(member, event, rule)
    return _clause_holds(node, event, rule)


def _clause_holds(clause: Clause, event: Mapping[str, Any], rule: DetectionRule) -> bool:
    values = list(_whole(event)) if clause.field is None else _values(clause.field, event, rule)
    match clause.operator:
        case Operator.NEVER:
            return False
        case Operator.IS_NULL:
            return not [one for one in values if one]
        case Operator.EXISTS:
            return (len(values) > 0) == (clause.value == "true")
        case Operator.SAME_AS:
            others = _values(clause.value.strip("*"), event, rule)
            return any(_compares(clause.value, one.lower(), other.lower()) for one in values for other in others)
    return any(_holds_for(clause, one) for one in values)


def _compares(written: str, value: str, other: str) -> bool:
    pattern = re.escape(other)
    return (
        re.fullmatch(
            (".*" if written.startswith("*") else "") + pattern + (".*" if written.endswith("*") else ""),
            value,
            re.DOTALL,
        )
        is not None
    )


def _holds_for(clause: Clause, value: str) -> bool:
    text, wanted = (value, clause.value) if clause.is_cased else (value.lower(), clause.value.lower())
    match clause.operator:
        case Operator.EQUALS:
            return text == wanted
        case Operator.STARTS:
            return text[: len(wanted)] == wanted
        case Operator.ENDS:
            return text[max(0, len(text) - len(wanted)) :] == wanted
        case Operator.CONTAINS:
            return wanted in text
        case Operator.LIKE:
            pattern = re.sub(r"\\x\{([0-9a-f]+)\}", lambda found: re.escape(chr(int(found[1], 16))), clause.value)
            return re.search(pattern, text) is not None
        case Operator.REGEX:
            return re.search(clause.value, value, re.ASCII) is not None
        case Operator.CIDR:
            try:
                return ipaddress.ip_address(value) in ipaddress.ip_network(clause.value)
            except ValueError:
                return False
    try:
        number = float(value)
    except ValueError:
        return False
    limit = float(clause.value)
    return {
        Operator.LESS: number < limit,
        Operator.LESS_EQUAL: number <= limit,
        Operator.GREATER: number > limit,
        Operator.GREATER_EQUAL: number >= limit,
    }[clause.operator]


def _values(field: str, event: Mapping[str, Any], rule: DetectionRule) -> list[str]:
    members = json.loads(event["fields"]) if event["fields"] else {}
    for place in field_map().places(field, rule.logsource):
        if place in EVENT_SCHEMA and event[place] is not None:
            return [str(event[place])]
        for value in _members_called(place, members):
            if texts := list(_texts(value)):
                return texts
    return []


def _members_called(name: str, members: Mapping[str, Any]) -> Iterator[Any]:
    """Under its own name, else in other case (capitals first) or behind a shipper's prefix."""
    yield members.get(name)
    yield _nested(name, members)
    in_other_case = (members[key] for key in sorted(members) if key.lower() == name.lower())
    if "." not in name:
        yield next(in_other_case, None)
    for prefix in ("EventData", "winlog.event_data", "Event.EventData", "winlog"):
        yield members.get(f"{prefix}.{name}")
    if "." in name:
        yield next(in_other_case, None)


def _nested(path: str, members: Any) -> Any:
    for step in path.split("."):
        if isinstance(members, list):
            members = [one[step] for one in members if isinstance(one, dict) and step in one]
        elif isinstance(members, dict) and step in members:
            members = members[step]
        else:
            return None
    return members


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, dict):
        yield json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    elif isinstance(value, bool):
        yield str(value).lower()
    elif value is not None:
        yield str(value)


def _whole(event: Mapping[str, Any]) -> Iterator[str]:
    if (event["log.format"] or "").split("/")[-1] != "windows-event":
        yield from (event[name] for name in ("event.original", "message") if event[name])
    yield from _leaves(json.loads(event["fields"]) if event["fields"] else {})


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for one in value.values():
            yield from _leaves(one)
    else:
        for text in [value] if not isinstance(value, list) else []:
            yield from _texts(text)
        for one in value if isinstance(value, list) else []:
            yield from _leaves(one)
