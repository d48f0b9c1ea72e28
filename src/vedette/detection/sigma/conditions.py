"""The condition of a rule as a tree: what pySigma makes of values and modifiers, joined by a parser of our own.

pySigma expands `1 of them` anew wherever it stands and backtracks in deep parentheses; here both are bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sigma.conditions import ConditionAND
from sigma.rule import SigmaDetection, SigmaDetectionItem
from sigma.types import (
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SigmaTimestampPart,
    SigmaType,
    SpecialChars,
)

from vedette.detection.sigma.rules import AllOf, AnyOf, Clause, Node, Not, Operator

MAX_CLAUSES: Final = 20_000
"""Of one condition, counted as often as they stand in it."""
_MAX_DEPTH: Final = 64
_MAX_CONDITION: Final = 20_000
_MAX_SHOWN: Final = 200
_TOKEN: Final = re.compile(r"\s*(?:([()])|([^\s()]+))")
_NAME: Final = re.compile(r"[A-Za-z0-9_*.-]+")
_ANY: Final = SpecialChars.WILDCARD_MULTI


class ConditionFault(Exception):
    """Why a condition cannot be used, and what to do. `needle` is the text in the rule that is at fault."""

    def __init__(self, reason: str, remedy: str, needle: str = "condition:") -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy
        self.needle = needle


class _Parser:
    """Recursive descent over `not` > `and` > `or`, parentheses, names and `1 of pattern*`."""

    def __init__(self, text: str, detections: Mapping[str, Node]) -> None:
        if len(text) > _MAX_CONDITION:
            raise ConditionFault(f"the condition has {len(text)} characters", f"keep it below {_MAX_CONDITION}")
        if "|" in text:
            raise ConditionFault(
                f"the condition {_shown(text)} aggregates with a pipe, which Sigma has given up",
                "write a correlation rule (type event_count or value_count) beside this rule",
            )
        self._text = text
        self._tokens = [mark or word for mark, word in _TOKEN.findall(text)]
        self._place = 0
        self._detections = detections

    def parse(self) -> Node:
        node = self._either(0)
        if self._place < len(self._tokens):
            raise self._fault(f"{self._tokens[self._place]!r} is not expected there")
        return node

    def _either(self, depth: int) -> Node:
        if depth > _MAX_DEPTH:
            raise self._fault(f"it is nested more than {_MAX_DEPTH} deep")
        terms = [self._both(depth)]
        while self._take("or"):
            terms.append(self._both(depth))
        return terms[0] if len(terms) == 1 else AnyOf(tuple(terms))

    def _both(self, depth: int) -> Node:
        terms = [self._single(depth)]
        while self._take("and"):
            terms.append(self._single(depth))
        return terms[0] if len(terms) == 1 else AllOf(tuple(terms))

    def _single(self, depth: int) -> Node:
        negations = 0
        while self._take("not"):
            negations += 1
        node = self._operand(depth)
        return Not(node) if negations % 2 else node

    def _operand(self, depth: int) -> Node:
        if self._take("("):
            node = self._either(depth + 1)
            if not self._take(")"):
                raise self._fault("a parenthesis is not closed")
            return node
        word = self._next()
        if word.lower() in {"1", "any", "all"} and self._peek().lower() == "of":
            self._place += 1
            return self._selected(word.lower(), self._next())
        if word not in self._detections:
            if word.lower() in {"and", "or", "not", "of", ")"} or not _NAME.fullmatch(word):
                raise self._fault(f"{word!r} stands where a name is expected")
            raise self._fault(f"it names {word!r}, which `detection` does not define")
        return self._detections[word]

    def _selected(self, quantifier: str, pattern: str) -> Node:
        if not _NAME.fullmatch(pattern):
            raise self._fault(f"{pattern!r} is no pattern of names")
        expression = ".*" if pattern == "them" else re.escape(pattern).replace(r"\*", ".*")
        nodes = tuple(
            node
            for name, node in self._detections.items()
            if re.fullmatch(expression, name) and (pattern.startswith("_") or not name.startswith("_"))
        )
        if not nodes:
            raise self._fault(f"`{quantifier} of {pattern}` fits no name in `detection`")
        if len(nodes) == 1:
            return nodes[0]
        return AllOf(nodes) if quantifier == "all" else AnyOf(nodes)

    def _peek(self) -> str:
        return self._tokens[self._place] if self._place < len(self._tokens) else ""

    def _next(self) -> str:
        word = self._peek()
        if not word:
            raise self._fault("it ends where a name is expected")
        self._place += 1
        return word

    def _take(self, word: str) -> bool:
        if self._peek().lower() != word:
            return False
        self._place += 1
        return True

    def _fault(self, what: str) -> ConditionFault:
        return ConditionFault(
            f"the condition {_shown(self._text)} cannot be read: {what}",
            "use names from `detection` joined by and, or, not, parentheses and `1 of name*`",
        )


def condition_of(texts: Sequence[str], detections: Mapping[str, Node]) -> Node:
    """The tree of the conditions, of which one must hold. Raises ConditionFault."""
    nodes = tuple(_Parser(text, detections).parse() for text in texts)
    node = nodes[0] if len(nodes) == 1 else AnyOf(nodes)
    if (count := clause_count(node)) > MAX_CLAUSES:
        raise ConditionFault(
            f"the rule compares {count} values, which is more than {MAX_CLAUSES}", "split it into several rules"
        )
    return node


def clause_count(node: Node, counted: dict[int, int] | None = None) -> int:
    """How many clauses the tree has, those of shared parts counted each time."""
    counted = {} if counted is None else counted
    if id(node) not in counted:
        match node:
            case Clause():
                count = 1
            case Not(member):
                count = clause_count(member, counted)
            case AllOf(members) | AnyOf(members):
                count = sum(clause_count(one, counted) for one in members)
        counted[id(node)] = count
    return counted[id(node)]


def node_of(detection: SigmaDetection, placeholders: set[str]) -> Node:
    """One named detection. Names of placeholders that nothing replaces are added to `placeholders`."""
    nodes = tuple(
        node_of(item, placeholders) if isinstance(item, SigmaDetection) else _node_of_item(item, placeholders)
        for item in detection.detection_items
    )
    if len(nodes) == 1:
        return nodes[0]
    return AllOf(nodes) if detection.item_linking is ConditionAND else AnyOf(nodes)


def _node_of_item(item: SigmaDetectionItem, placeholders: set[str]) -> Node:
    values: Sequence[SigmaType] = item.value or [SigmaNull()]
    nodes = tuple(_node_of_value(item.field, value, placeholders) for value in values)
    joined = AllOf if item.value_linking is ConditionAND else AnyOf
    node = nodes[0] if len(nodes) == 1 else joined(nodes)
    return Not(node) if item.negated else node


def _node_of_value(field: str | None, value: SigmaType, placeholders: set[str]) -> Node:
    if isinstance(value, SigmaExpansion):
        return AnyOf(tuple(_node_of_value(field, one, placeholders) for one in value.values))
    operator, text, is_cased = _comparison(field, value, placeholders)
    return Clause(field, operator, text, _in_words(field, operator, text, value), is_cased)


def _comparison(field: str | None, value: SigmaType, placeholders: set[str]) -> tuple[Operator, str, bool]:
    match value:
        case SigmaString():
            is_cased = isinstance(value, SigmaCasedString)
            return *_text_comparison(field, value, placeholders, is_cased=is_cased), is_cased
        case SigmaTimestampPart():
            return Operator.TIME_PART, f"{value.timestamp_part.name.lower()}={value.number}", False
        case SigmaNumber():
            return (Operator.CONTAINS if field is None else Operator.EQUALS), str(value.number), False
        case SigmaBool():
            return (Operator.CONTAINS if field is None else Operator.EQUALS), str(value).lower(), False
        case SigmaRegularExpression():
            if value.contains_placeholder():
                return Operator.NEVER, _placeholders_in(value.regexp, placeholders), True
            return Operator.REGEX, value.escape([], "", False), True
        case _ if field is None:
            raise ConditionFault(
                "a null, a comparison, an address range or `exists` stands without a field", "name the field", ""
            )
        case SigmaCIDRExpression():
            return Operator.CIDR, str(value.network), False
        case SigmaCompareExpression():
            return Operator(value.op.name.lower()), str(value.number), False
        case SigmaExists():
            return Operator.EXISTS, str(value.exists).lower(), False
        case SigmaFieldReference():
            before, after = "*" if value.ends_with else "", "*" if value.starts_with else ""
            return Operator.SAME_AS, f"{before}{value.field}{after}", False
        case SigmaNull():
            return Operator.IS_NULL, "", False
    raise ConditionFault(f"values of the type {type(value).__name__} are not supported", "compare texts or numbers", "")


def _text_comparison(
    field: str | None, value: SigmaString, placeholders: set[str], *, is_cased: bool
) -> tuple[Operator, str]:
    if value.contains_placeholder():
        return Operator.NEVER, _placeholders_in(value, placeholders)
    parts = list(_without_repeated_wildcards(value))
    if field is None:
        parts = [_ANY, *_stripped(parts), _ANY]
    match parts:
        case []:
            return Operator.EQUALS, ""
        case [str(text)]:
            return Operator.EQUALS, text
        case [SpecialChars.WILDCARD_MULTI] | [SpecialChars.WILDCARD_MULTI, SpecialChars.WILDCARD_MULTI]:
            return Operator.EXISTS, "true"
        case [str(text), SpecialChars.WILDCARD_MULTI]:
            return Operator.STARTS, text
        case [SpecialChars.WILDCARD_MULTI, str(text)]:
            return Operator.ENDS, text
        case [SpecialChars.WILDCARD_MULTI, str(text), SpecialChars.WILDCARD_MULTI]:
            return Operator.CONTAINS, text
    written = [
        _escaped(part if is_cased else part.lower()) if isinstance(part, str) else ".*" if part is _ANY else "."
        for part in parts
    ]
    return Operator.LIKE, "(?s)^" + "".join(written) + "$"


def _escaped(text: str) -> str:
    """As a regular expression, in the words that RE2 and Rust share."""
    return "".join(one if one.isascii() and one.isalnum() else f"\\x{{{ord(one):x}}}" for one in text)


def _without_repeated_wildcards(value: SigmaString) -> Iterator[str | SpecialChars]:
    last: Any = None
    for part in value.s:
        if isinstance(part, (str, SpecialChars)) and not (part is _ANY and last is _ANY):
            yield part
        last = part


def _stripped(parts: list[str | SpecialChars]) -> list[str | SpecialChars]:
    start = 1 if parts and parts[0] is _ANY else 0
    end = len(parts) - 1 if len(parts) > start and parts[-1] is _ANY else len(parts)
    return parts[start:end]


def _placeholders_in(value: SigmaString, placeholders: set[str]) -> str:
    names = sorted(part.name for part in value.s if not isinstance(part, (str, SpecialChars)))
    placeholders.update(names)
    return ", ".join(names)


_WORDS: Final = {
    Operator.EQUALS: "is", Operator.STARTS: "starts with", Operator.ENDS: "ends with", Operator.CONTAINS: "contains",
    Operator.LIKE: "is like", Operator.REGEX: "matches", Operator.CIDR: "is within", Operator.LESS: "<",
    Operator.LESS_EQUAL: "<=", Operator.GREATER: ">", Operator.GREATER_EQUAL: ">=", Operator.NOT_EQUAL: "is not",
}  # fmt: skip


def _in_words(field: str | None, operator: Operator, text: str, value: SigmaType) -> str:
    name = "the record" if field is None else field
    match operator:
        case Operator.EXISTS:
            return f"{name} {'is present' if text == 'true' else 'is missing'}"
        case Operator.IS_NULL:
            return f"{name} is empty"
        case Operator.SAME_AS:
            return f"{name} compares to {text}"
        case Operator.NEVER:
            return f"{name} compares to the placeholder {text}, which has no value"
        case Operator.TIME_PART:
            return f"{name} has {text.replace('=', ' ')}"
        case Operator.LIKE:
            return f"{name} is like {_shown(str(value))}"
        case Operator.CONTAINS | Operator.EQUALS | Operator.STARTS | Operator.ENDS | Operator.REGEX:
            return f"{name} {_WORDS[operator]} {_shown(text)}"
    return f"{name} {_WORDS[operator]} {text}"


def _shown(text: str) -> str:
    return '"' + (text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 1] + "…") + '"'
