"""Sigma rules from folders, files and zip files, read with pySigma. A rule that is not right disables only itself."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from vedette.detection.sigma.documents import RuleDocument, documents_in
from vedette.detection.sigma.own_keys import own_keys
from vedette.detection.sigma.references import CorrelationDraft, draft_of, resolved
from vedette.detection.sigma.rules import (
    LEVELS,
    AllOf,
    CorrelationRule,
    DetectionRule,
    LogSource,
    Node,
    Rule,
    RuleProblem,
    RuleSet,
)

_NAMESPACE: Final = uuid.UUID("6f9ac55d-7a8c-4f0a-9d57-53a2f6c3b8e1")
_MAX_TITLE: Final = 300
_MAX_VALUES: Final = 20_000
_MAX_VALUE: Final = 32_768
_MAX_DEPTH: Final = 20
_EXPANDING: Final = ("windash", "base64offset")
_SAME_MODIFIER: Final = {"utf16le": "wide", "not": "neq"}


class _Fault(Exception):
    """Why a document is no rule, what to do, and the text in it that is at fault."""

    def __init__(self, reason: str, remedy: str, needle: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy
        self.needle = needle


class _Pack:
    """What has been read so far. Ids are taken by who comes first."""

    def __init__(self, name: str, known: Sequence[Rule]) -> None:
        self.name = name
        self.known = known
        self.detections: dict[str, DetectionRule] = {}
        self.drafts: dict[str, CorrelationDraft] = {}
        self.filters: list[tuple[DetectionRule, tuple[str, ...]]] = []
        self.problems: list[RuleProblem] = []

    def add(self, document: RuleDocument) -> None:
        try:
            head, notes = _head_of(document, self.name)
            if (first := self._taken(head["id"])) is not None:
                raise _Fault(
                    f"the id {head['id']} is already used by {first.title!r} in {first.path}:{first.line}",
                    "give this rule an id of its own, or remove one of the two",
                    "id:",
                )
            if "correlation" in document.content:
                self.drafts[head["id"]] = draft_of(head, document)
            elif "filter" in document.content:
                self._add_filter(head, document, notes)
            else:
                self.detections[head["id"]] = _detection_rule(head, document, document.content.get("detection"), notes)
        except _Fault as fault:
            self._say(document, fault.reason, fault.remedy, fault.needle)
        except RecursionError:
            self._say(document, "the rule is nested too deep", "write it flat", "")
        else:
            for reason, remedy, needle in notes:
                self._say(document, reason, remedy, needle, head["id"])

    def rules(self) -> RuleSet:
        detections = dict(self.detections)
        for one, targets in self.filters:
            _apply_filter(one, targets, detections, self.problems)
        correlations, problems = resolved(self.drafts, (*detections.values(), *self.known))
        return RuleSet(
            tuple(detections.values()), tuple(correlations), tuple(sorted((*self.problems, *problems), key=_place))
        )

    def _taken(self, identifier: str) -> DetectionRule | CorrelationRule | None:
        if identifier in self.detections:
            return self.detections[identifier]
        return self.drafts[identifier].rule if identifier in self.drafts else None

    def _add_filter(self, head: dict[str, Any], document: RuleDocument, notes: list[tuple[str, str, str]]) -> None:
        content = document.content["filter"]
        if not isinstance(content, dict) or "rules" not in content:
            raise _Fault("the filter names no rules", "give `filter` the keys `rules` and `condition`", "filter:")
        wanted = content["rules"]
        targets = (wanted,) if isinstance(wanted, str) else tuple(str(one) for one in wanted or ())
        own = {key: value for key, value in content.items() if key != "rules"}
        self.filters.append((_detection_rule(head, document, own, notes), targets))

    def _say(self, document: RuleDocument, reason: str, remedy: str, needle: str, rule_id: str = "") -> None:
        self.problems.append(RuleProblem(document.path, document.line_of(needle), reason, remedy, rule_id))


def load_rules(paths: Sequence[Path], *, pack: str, known: Sequence[Rule] = ()) -> RuleSet:
    """All rules below the paths, in the order of paths and names. Blocks; some 3,000 rules a second.

    Files that end in `.test.yml` are not rules. `known` are rules of other packs that correlations may refer to.
    """
    read = _Pack(pack, known)
    for one in documents_in(paths):
        if isinstance(one, RuleProblem):
            read.problems.append(one)
        else:
            read.add(one)
    return read.rules()


def merged(rule_sets: Sequence[RuleSet]) -> RuleSet:
    """The rules of several packs. Of rules with the same id that of the earlier pack counts, the other is a problem;
    exactly the same rule twice is none."""
    detections: dict[str, DetectionRule] = {}
    correlations: dict[str, CorrelationRule] = {}
    problems: list[RuleProblem] = []
    for rules in rule_sets:
        problems.extend(rules.problems)
        for rule in rules.rules:
            first = detections.get(rule.id) or correlations.get(rule.id)
            if first is None:
                if isinstance(rule, DetectionRule):
                    detections[rule.id] = rule
                else:
                    correlations[rule.id] = rule
            elif first.source_text != rule.source_text:
                reason = f"the id {rule.id} is already used by {first.title!r} of the pack {first.pack!r}"
                remedy = "give this rule an id of its own, or switch one of the packs off"
                problems.append(RuleProblem(rule.path, rule.line, reason, remedy, rule.id))
    return RuleSet(tuple(detections.values()), tuple(correlations.values()), tuple(problems))


def _place(problem: RuleProblem) -> tuple[str, int]:
    return problem.path, problem.line


def _head_of(document: RuleDocument, pack: str) -> tuple[dict[str, Any], list[tuple[str, str, str]]]:
    """What RuleHead holds, and what is wrong with it without disabling the rule."""
    content = document.content
    if not any(key in content for key in ("detection", "correlation", "filter")):
        raise _Fault("the document has no `detection`", "add `detection` with at least one selection and a `condition`")
    notes: list[tuple[str, str, str]] = []
    title = _text(content.get("title"))
    if not title:
        title = document.name.rsplit("/", 1)[-1].rsplit(".", 1)[0]
        notes.append((f"the rule has no title; it is called {title!r}", "add a `title`", ""))
    level = _text(content.get("level")).lower()
    if level not in LEVELS:
        if level:
            remedy = "use one of " + ", ".join(LEVELS)
            notes.append((f"the level {level!r} does not exist; medium is used", remedy, "level:"))
        level = "medium"
    own, own_notes = own_keys(content.get("vedette"))
    notes += own_notes
    identifier = _text(content.get("id")).lower()
    if not identifier:
        identifier = str(uuid.uuid5(_NAMESPACE, f"{pack}\n{document.name}\n{title}"))
    return {
        "id": identifier,
        "title": title[:_MAX_TITLE],
        "level": level,
        "status": _text(content.get("status")),
        "description": _text(content.get("description")),
        "author": _text(content.get("author")),
        "date": _text(content.get("date")),
        "tags": _texts(content.get("tags")),
        "false_positives": _texts(content.get("falsepositives")),
        "references": _texts(content.get("references")),
        "actions": _texts(content.get("actions")),
        "name": _text(content.get("name")),
        "pack": pack,
        "path": document.path,
        "line": document.line,
        "source_text": document.text,
        "own": own,
    }, notes


def _text(value: object) -> str:
    return "" if value is None or isinstance(value, (dict, list)) else str(value).strip()


def _texts(value: object) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    return tuple(text for one in values if (text := _text(one)))


def _detection_rule(
    head: dict[str, Any], document: RuleDocument, detection: object, notes: list[tuple[str, str, str]]
) -> DetectionRule:
    placeholders: set[str] = set()
    logsource = _logsource(document.content.get("logsource"))
    condition = _condition(detection, placeholders)
    if placeholders:
        names = ", ".join(f"%{name}%" for name in sorted(placeholders))
        notes.append((f"the placeholder {names} has no value, so what compares to it never holds",
                      "replace it by the values of your site", f"%{min(placeholders)}%"))  # fmt: skip
    return DetectionRule(
        **head, logsource=logsource, condition=condition, shown_fields=_texts(document.content.get("fields"))
    )


def _logsource(written: object) -> LogSource:
    if not isinstance(written, dict):
        raise _Fault("the rule has no `logsource`", "add `logsource` with product, category or service", "logsource")
    names = {key: _text(written.get(key)).lower() or None for key in ("product", "category", "service")}
    if not any(names.values()):
        raise _Fault("`logsource` names no product, category or service", "add one of them", "logsource")
    return LogSource(**names)


def _condition(detection: object, placeholders: set[str]) -> Node:
    from sigma.exceptions import SigmaError
    from sigma.rule import SigmaDetection

    from vedette.detection.sigma.conditions import ConditionFault, condition_of, node_of

    if not isinstance(detection, dict) or not detection:
        raise _Fault("the rule has no `detection`", "add at least one selection and a `condition`", "detection")
    written = detection.get("condition")
    conditions = [_text(one) for one in (written if isinstance(written, list) else [written])]
    if not conditions or not all(conditions):
        raise _Fault("`detection` has no `condition`", "add one, such as `condition: selection`", "detection:")
    nodes: dict[str, Node] = {}
    _check_size(detection)
    for name, definition in detection.items():
        if name in {"condition", "timeframe"}:
            continue
        _check(definition)
        try:
            nodes[str(name)] = node_of(SigmaDetection.from_definition(_renamed(definition)), placeholders)
        except SigmaError as error:
            raise _explained(error, str(name), definition) from error
        except ConditionFault as fault:
            raise _Fault(fault.reason, fault.remedy, fault.needle or f"{name}:") from fault
    try:
        node = condition_of(conditions, nodes)
    except ConditionFault as fault:
        raise _Fault(fault.reason, fault.remedy, fault.needle) from fault
    return node


def _check_size(detection: Mapping[str, Any]) -> None:
    count = sum(1 for _ in _leaves(detection, 0))
    if count > _MAX_VALUES:
        raise _Fault(f"the rule compares {count} values, more than {_MAX_VALUES}", "split it into several rules")


def _leaves(value: object, depth: int) -> Iterator[object]:
    if depth > _MAX_DEPTH:
        raise _Fault(f"`detection` is nested more than {_MAX_DEPTH} deep", "write it flat", "detection:")
    if isinstance(value, dict):
        for one in value.values():
            yield from _leaves(one, depth + 1)
    elif isinstance(value, list):
        for one in value:
            yield from _leaves(one, depth + 1)
    else:
        if isinstance(value, str) and len(value) > _MAX_VALUE:
            raise _Fault(f"a value has {len(value)} characters", f"keep values below {_MAX_VALUE}", value[:40])
        yield value


def _check(definition: object) -> None:
    """Raise _Fault for modifiers that do not exist or would multiply, and for values no modifier can take."""
    from sigma.modifiers import modifier_mapping

    for part in definition if isinstance(definition, list) else (definition,):
        if isinstance(part, list):
            _check(part)
        if not isinstance(part, dict):
            continue
        for key, value in part.items():
            _, *modifiers = str(key).split("|")
            for modifier in modifiers:
                if modifier not in modifier_mapping and modifier not in _SAME_MODIFIER:
                    known = ", ".join(sorted({*modifier_mapping, *_SAME_MODIFIER}))
                    raise _Fault(
                        f"the modifier {modifier!r} of {str(key)!r} is unknown", f"use one of {known}", str(key)
                    )
            if any(modifiers.count(one) > 1 for one in _EXPANDING):
                raise _Fault(f"{str(key)!r} expands its values more than once", "name each modifier once", str(key))
            if any(isinstance(one, (dict, list)) for one in (value if isinstance(value, list) else [value])):
                raise _Fault(f"the values of {str(key)!r} are nested", "give a text, a number or a flat list", str(key))
            if "re" in modifiers:
                _check_expressions(str(key), modifiers, value if isinstance(value, list) else [value])


def _check_expressions(key: str, modifiers: Sequence[str], values: Sequence[object]) -> None:
    for value in values:
        if isinstance(value, str) and (fault := _expression_fault(value)) is not None:
            raise _Fault(f"the regular expression {value[:200]!r} of {key!r} {fault[0]}", fault[1], value[:60])


def _expression_fault(expression: str) -> tuple[str, str] | None:
    import re2

    try:
        re2.compile(expression, _quiet())
    except re2.error as error:
        said = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
        if re.search(r"\(\?(?:=|!|<=|<!|>)", expression):
            return (
                "looks ahead or behind, which no linear-time engine can",
                "say it with a second selection and `not` in the condition",
            )
        if re.search(r"\\[1-9]|\(\?P=", expression):
            return "refers back to a group, which no linear-time engine can", "write the alternatives out"
        if "too large" in said or "out of memory" in said:
            return "is too large", "use smaller repetitions"
        return f"is invalid: {said}", "correct it; the syntax is RE2's"
    return None


def _quiet() -> Any:
    """Options of re2, which has no types."""
    import re2

    options = re2.Options()
    options.log_errors = False
    return options


def _renamed(definition: Any) -> Any:
    """With the names that pySigma knows; the shape of YAML stays."""
    if isinstance(definition, list):
        return [_renamed(one) for one in definition]
    if not isinstance(definition, dict):
        return definition if isinstance(definition, (str, int, float, bool, type(None))) else str(definition)
    renamed: dict[str, Any] = {}
    for key, value in definition.items():
        field, *modifiers = str(key).split("|")
        name = "|".join((field, *(_SAME_MODIFIER.get(one, one) for one in modifiers)))
        renamed[name] = _renamed(value)
    return renamed


def _explained(error: Exception, name: str, definition: object) -> _Fault:
    said = str(error).split(" in rule")[0].strip().rstrip(".") or type(error).__name__
    parts = definition if isinstance(definition, list) else [definition]
    items = {
        str(key): value for part in parts if isinstance(part, dict) for key, value in part.items() if "|" in str(key)
    }
    named = [
        key
        for key, value in items.items()
        if len(items) == 1 or any(str(one) in said for one in (value if isinstance(value, list) else [value]))
    ]
    needle = named[0] if named else f"{name}:"
    return _Fault(f"the selection {name!r} cannot be used: {said}", "correct the value or its modifier", needle)


def _apply_filter(
    one: DetectionRule, targets: Sequence[str], detections: dict[str, DetectionRule], problems: list[RuleProblem]
) -> None:
    wanted = {target.lower() for target in targets} if targets and targets != ("any",) else None
    found: set[str] = set()
    for identifier, rule in detections.items():
        names = {identifier, rule.name.lower()} - {""}
        if wanted is not None and not names & wanted:
            continue
        found |= names
        if _covers(one.logsource, rule.logsource):
            detections[identifier] = replace(rule, condition=AllOf((rule.condition, one.condition)))
    for target in sorted((wanted or set()) - found):
        reason, remedy = f"the filter names the rule {target!r}, which does not exist here", "correct the id or name"
        problems.append(RuleProblem(one.path, one.line, reason, remedy, one.id))


def _covers(wide: LogSource, narrow: LogSource) -> bool:
    pairs = ((wide.product, narrow.product), (wide.category, narrow.category), (wide.service, narrow.service))
    return all(first is None or first == second for first, second in pairs)
