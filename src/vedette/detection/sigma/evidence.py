"""What in an event a rule's match rests on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from vedette.detection.sigma.expressions import PlacesOf, check_of, pattern
from vedette.detection.sigma.fields import Record
from vedette.detection.sigma.rules import AllOf, AnyOf, Clause, DetectionRule, Node, Not, Operator
from vedette.model.events import event_id
from vedette.model.findings import Evidence

_MOST_CLAUSES: Final = 12
_MAX_VALUE: Final = 400
_MAX_TEXT: Final = 2_000
_AROUND: Final = 600


def evidence_of(rule: DetectionRule, event: Mapping[str, Any], places_of: PlacesOf) -> tuple[Evidence, ...]:
    """The clauses of the condition that hold, without those under a `not`; in the order of the rule, bounded."""
    record = Record(event)
    found: list[Evidence] = []
    seen: set[tuple[str, str]] = set()
    for clause in _holding(rule.condition, record, places_of):
        column, value = _where(clause, record, places_of)
        if (column, value) in seen:
            continue
        seen.add((column, value))
        found.append(Evidence(clause.text, column, value[:_MAX_VALUE], _id_of(event), _text_of(event, value)))
        if len(found) >= _MOST_CLAUSES:
            break
    return tuple(found)


def _holding(node: Node, record: Record, places_of: PlacesOf) -> Iterator[Clause]:
    """Of an OR only the branches that hold."""
    match node:
        case Clause():
            if check_of(node, places_of)(record):
                yield node
        case AllOf(members):
            for one in members:
                yield from _holding(one, record, places_of)
        case AnyOf(members):
            for one in members:
                if isinstance(one, Clause) or check_of(one, places_of)(record):
                    yield from _holding(one, record, places_of)
        case Not():
            return


def _where(clause: Clause, record: Record, places_of: PlacesOf) -> tuple[str, str]:
    """The column and the part of its value that the clause is about."""
    if clause.field is None:
        for name in ("event.original", "message"):
            part = _part(clause, record.event.get(name) or "")
            if part is not None:
                return name, part
        for text in record.texts():
            if (part := _part(clause, text)) is not None:
                return "fields", part
        return "event.original", ""
    first = ""
    for column, values in record.located(places_of(clause.field)):
        for value in values:
            if (part := _part(clause, value)) is not None:
                return column, part
        return column, values[0]
    return first or f"fields.{clause.field}", ""


def _part(clause: Clause, value: str) -> str | None:
    """What of the value matched; the whole of it for comparisons. None where it does not."""
    text, wanted = (value, clause.value) if clause.is_cased else (value.lower(), clause.value.lower())
    match clause.operator:
        case Operator.CONTAINS:
            place = text.find(wanted)
            return None if place < 0 else value[place : place + len(wanted)] if len(text) == len(value) else wanted
        case Operator.STARTS:
            return value[: len(wanted)] if text.startswith(wanted) else None
        case Operator.ENDS:
            return value[-len(wanted) :] if text.endswith(wanted) else None
        case Operator.EQUALS:
            return value if text == wanted else None
        case Operator.REGEX:
            found = pattern(clause.value).search(value)
            return None if found is None else str(found[0]) or value
        case Operator.LIKE:
            searched = value if clause.is_cased else text
            return value if pattern(clause.value).search(searched) is not None else None
    return value


def _id_of(event: Mapping[str, Any]) -> str | None:
    generation, offset = event.get("vedette.generation"), event.get("log.offset")
    return None if generation is None or offset is None else event_id(generation, offset)


def _text_of(event: Mapping[str, Any], value: str) -> str:
    """The record, or what stands around the value in a long one."""
    text = str(event.get("event.original") or "")
    if len(text) <= _MAX_TEXT:
        return text
    place = max(0, text.find(value)) if value else 0
    start = max(0, min(place - _AROUND, len(text) - _MAX_TEXT))
    return text[start : start + _MAX_TEXT]
