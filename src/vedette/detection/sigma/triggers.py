"""Triggers: literals of which one must stand in an event if a rule is to match it.

Of an AND the rarest child, of an OR the union, of a NOT nothing. A literal is a stretch of small ASCII letters. It is looked
for in the JSON of `fields` without taking it apart: what begins or ends a value has JSON's quote beside it there, and where
others than Vedette wrote the JSON, a stretch has only signs that nobody escapes. Failing that it is a single letter that is
not ASCII.
"""

from __future__ import annotations

import json
import re
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from re import _parser as _python_syntax  # type: ignore[attr-defined]  # the only parser of expressions there is
from typing import Any, Final

from vedette.detection.sigma.expressions import PlacesOf
from vedette.detection.sigma.fields import URL_PARTS, WHOLLY_TAKEN_APART
from vedette.detection.sigma.logsources import KIND_KEYS
from vedette.detection.sigma.rules import AllOf, AnyOf, Clause, Node, Not, Operator
from vedette.detection.sigma.scanning import END_MARK, START_MARK
from vedette.model.events import EVENT_SCHEMA

_SHORTEST: Final = 3
_LONG_ENOUGH: Final = 8
"""A stretch that is rarer than a letter no European language has."""
_MOST_NEEDLES: Final = 20_000
_PLAIN: Final = re.compile(r"[a-z0-9 .;=_%()|@#$!?*^~`-]+")
PRINTABLE: Final = re.compile(r"[ -~]+")
_RARE_SIGNS: Final = frozenset("^~`|@#$!?*")
_SIGNS: Final = re.compile(r"[^a-z0-9 ]{2}")
_WILDCARDS: Final = re.compile(r"\.\*?")
_ESCAPE: Final = re.compile(r"\\x\{([0-9a-f]+)\}")
_NUMERIC: Final = re.compile(r"[0-9.e+-]*")

VALUES: Final = "values:"
PLACE_MARK: Final = "\x1f"
DECIDED: Final = frozenset({*KIND_KEYS, "event.category", "event.action", "event.outcome"})
"""Fields whose value a kind says, in small letters, if it says any."""
Needle = tuple[str, str]
"""A column and the literal to look for in it. The column is one of events, or VALUES and the places of a field joined by
PLACE_MARK: its value."""
Trigger = frozenset[Needle]
Rarity = Callable[[Needle], float]
"""How often a needle is met, as a share of events."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is known of a condition before the event is looked at: whether it holds (None: it depends), and what must
    stand in the event if it is to hold (None: nothing in particular)."""

    truth: bool | None
    trigger: Trigger | None = None


_DEPENDS: Final = Outlook(None)


@dataclass(frozen=True, slots=True)
class Viewpoint:
    """What outlooks are made from: where fields stand, what the kind of events says (in small letters), how common
    needles are, and whether `fields` is a flat object of texts as Vedette writes it, escapes and all."""

    places_of: PlacesOf
    kind: Mapping[str, str | None]
    rarity: Rarity
    is_flat: bool


def outlook(node: Node, view: Viewpoint) -> Outlook:
    """Of the condition for events of the kind."""
    match node:
        case Clause():
            return _of_clause(node, view)
        case Not(member):
            truth = outlook(member, view).truth
            return _DEPENDS if truth is None else Outlook(not truth)
        case AllOf(members):
            parts = [outlook(one, view) for one in members]
            if any(one.truth is False for one in parts):
                return Outlook(False)
            parts = [one for one in parts if one.truth is None]
            if not parts:
                return Outlook(True)
            triggers = [one.trigger for one in parts if one.trigger is not None]
            return Outlook(None, min(triggers, key=lambda one: sum(map(view.rarity, one))) if triggers else None)
        case AnyOf(members):
            parts = [outlook(one, view) for one in members]
            if any(one.truth is True for one in parts):
                return Outlook(True)
            parts = [one for one in parts if one.truth is None]
            if not parts:
                return Outlook(False)
            return Outlook(None, _union([one.trigger for one in parts]))


def asks_for(node: Node, keys: frozenset[str]) -> bool:
    """Whether the condition asks for one of these fields."""
    match node:
        case Clause():
            return node.field is not None and node.field in keys
        case Not(member):
            return asks_for(member, keys)
        case AllOf(members) | AnyOf(members):
            return any(asks_for(one, keys) for one in members)


def values_of(node: Node, field: str) -> set[str]:
    """The texts that the condition compares the whole field with, in small letters."""
    match node:
        case Clause():
            is_meant = node.field == field and node.operator is Operator.EQUALS
            return {node.value.lower()} if is_meant else set()
        case Not(member):
            return values_of(member, field)
        case AllOf(members) | AnyOf(members):
            return set().union(*(values_of(one, field) for one in members))


def _of_clause(clause: Clause, view: Viewpoint) -> Outlook:
    if clause.operator is Operator.NEVER:
        return Outlook(False)
    places = () if clause.field is None else view.places_of(clause.field)
    if places and clause.operator is Operator.EQUALS and not clause.is_cased and places[0] in DECIDED:
        value = view.kind.get(places[0])
        if value is not None:
            return Outlook(value == clause.value.lower())
    if not places and (view.kind.get("log.format") or "").rpartition("/")[2] != WHOLLY_TAKEN_APART:
        return _looking_for(needed_literals(clause, _PLAIN), ("event.original", "fields"))
    if view.is_flat:
        return _looking_into_values(clause, places)
    literals = needed_literals(clause, _PLAIN)
    if not literals:
        return _DEPENDS
    needles = {("fields", one) for one in _quoted(clause, literals)}
    return Outlook(None, frozenset(needles | {(column, one) for column in _columns(places) for one in literals}))


def _looking_into_values(clause: Clause, places: Sequence[str]) -> Outlook:
    """Where values can be taken out in columns."""
    literals = needed_literals(clause, PRINTABLE)
    if not literals:
        return _DEPENDS
    if not places:  # keywords, of a format whose fields hold the whole record
        return Outlook(None, frozenset(("fields", json.dumps(one, ensure_ascii=False)[1:-1]) for one in literals))
    if any(name in URL_PARTS for name in places):
        inside = {("fields", json.dumps(one, ensure_ascii=False)[1:-1]) for one in literals}
        return Outlook(None, frozenset(inside | {(column, one) for column in _columns(places) for one in literals}))
    column = VALUES + PLACE_MARK.join(places)
    return Outlook(None, frozenset((column, framed) for framed in _framed(clause, literals, START_MARK, END_MARK)))


def _looking_for(literals: frozenset[str] | None, columns: Sequence[str]) -> Outlook:
    if not literals:
        return _DEPENDS
    return Outlook(None, frozenset((column, one) for column in columns for one in literals))


def _columns(places: Sequence[str]) -> set[str]:
    urls = {"url.original" for name in places if name in URL_PARTS}
    return urls | {name for name in places if name in EVENT_SCHEMA}


def _quoted(clause: Clause, literals: frozenset[str]) -> frozenset[str]:
    """The literal as it stands in JSON: a text of letters has quotes around it."""
    value = clause.value.lower()
    return literals if not value or _may_be_bare(value) else _framed(clause, literals, '"', '"')


def _framed(clause: Clause, literals: frozenset[str], start: str, end: str) -> frozenset[str]:
    """With the marks of where values start and end, where the literal does."""
    value = clause.value.lower()
    if len(literals) != 1 or clause.operator not in {Operator.EQUALS, Operator.STARTS, Operator.ENDS}:
        return literals
    (literal,) = literals
    if not literal.isascii():
        return literals
    before = start if clause.operator is not Operator.ENDS and value.startswith(literal) else ""
    after = end if clause.operator is not Operator.STARTS and value.endswith(literal) else ""
    return frozenset({f"{before}{literal}{after}"})


def _may_be_bare(value: str) -> bool:
    """Whether JSON may write the value, or one it begins or ends, without quotes."""
    if _NUMERIC.fullmatch(value) or value[-1] in "}])":
        return True
    return any(word.startswith(value) or word.endswith(value) for word in ("true", "false", "null"))


def needed_literals(clause: Clause, letters: re.Pattern[str]) -> frozenset[str] | None:
    """Stretches of such letters of which one must stand in a value that the clause holds for; None where none must."""
    match clause.operator:
        case Operator.EQUALS | Operator.STARTS | Operator.ENDS | Operator.CONTAINS:
            return _best([clause.value.lower()], letters)
        case Operator.LIKE:
            pieces = _WILDCARDS.split(clause.value.removeprefix("(?s)^").removesuffix("$"))
            return _best([_ESCAPE.sub(_character, piece).lower() for piece in pieces], letters)
        case Operator.REGEX:
            return _of_expression(clause.value, letters)
    return None


def _character(found: re.Match[str]) -> str:
    return chr(int(found[1], 16))


def _best(texts: Iterable[str], letters: re.Pattern[str]) -> frozenset[str] | None:
    """The longest stretch; else the strangest letter, in every case it may be written in."""
    texts = list(texts)
    stretches = [one for text in texts for one in letters.findall(text)]
    best = max(stretches, key=len, default="")
    strangest = max((letter for text in texts for letter in text), default="")
    if len(best) >= (_LONG_ENOUGH if strangest > "\xff" else _SHORTEST):
        return frozenset({best})
    if strangest > "\x7f":
        return _cases().get(strangest.casefold(), frozenset()) | {strangest}
    signs = [one for one in stretches if _RARE_SIGNS & set(one) or _SIGNS.fullmatch(one)]
    return frozenset({max(signs, key=len)}) if signs else None


@lru_cache(maxsize=1)
def _cases() -> dict[str, frozenset[str]]:
    """Letters that are not ASCII, of which there are several that differ in case only."""
    cases: defaultdict[str, set[str]] = defaultdict(set)
    for letter in map(chr, range(0x80, 0x20000)):
        if letter.lower() != letter or letter.upper() != letter or letter.casefold() != letter:
            cases[letter.casefold()].add(letter)
            cases[letter.lower().casefold()].add(letter)
    return {folded: frozenset(letters) for folded, letters in cases.items()}


def guessed_rarity(needle: Needle) -> float:
    """Before anything is known of the data: the longer the rarer, what Windows writes everywhere is not rare."""
    literal = needle[1].strip('"\\\x02\x03')
    share = 0.5 / max(2, len(literal)) ** 2
    return share * 20 if literal.rstrip(". ") in _COMMON else share


_COMMON: Final = frozenset({
    "windows", "system32", "microsoft", "program files", "program files (x86)", "users", "appdata", "powershell.exe",
    "cmd.exe", "svchost.exe", "explorer.exe", "powershell", "http", "https", ".exe", ".dll", "temp", "local",
    "services.exe", "system", "user", "windowspowershell", "microsoft corporation", "rundll32.exe", "conhost.exe",
    "syswow64", "programdata", "true", "false", "nt authority", "software", "currentversion", "hklm", "hkcu",
})  # fmt: skip


def _union(triggers: Sequence[Trigger | None]) -> Trigger | None:
    needles: set[Needle] = set()
    for one in triggers:
        if one is None:
            return None
        needles |= one
    return frozenset(needles) if len(needles) <= _MOST_NEEDLES else None


@lru_cache(maxsize=8_192)
def _of_expression(expression: str, letters: re.Pattern[str]) -> frozenset[str] | None:
    """Stretches of which one stands in every text the expression is found in; None where there are none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = _python_syntax.parse(expression)
    except (re.error, RecursionError, OverflowError, ValueError):
        return None
    found = _required(tree, letters)
    return found if found and len(found) <= _MOST_NEEDLES else None


def _required(sequence: Iterable[tuple[Any, Any]], letters: re.Pattern[str]) -> frozenset[str] | None:
    """`sequence` is what Python's parser makes: pairs of an operation's name and its arguments."""
    candidates: list[frozenset[str]] = []
    run: list[str] = []

    def end_run() -> None:
        if run:
            if (best := _best(["".join(run).lower()], letters)) is not None:
                candidates.append(best)
            run.clear()

    for operation, arguments in sequence:
        match str(operation):
            case "LITERAL":
                run.append(chr(arguments))
                continue
            case "AT":
                continue
            case "SUBPATTERN":
                end_run()
                inner = _required(arguments[-1], letters)
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                end_run()
                inner = _required(arguments[2], letters) if arguments[0] >= 1 else None
            case "ATOMIC_GROUP":
                end_run()
                inner = _required(arguments, letters)
            case "BRANCH":
                end_run()
                branches = [_required(one, letters) for one in arguments[1]]
                inner = None
                if all(one is not None for one in branches):
                    inner = frozenset().union(*(one for one in branches if one is not None))
            case _:
                end_run()
                inner = None
        if inner:
            candidates.append(inner)
    end_run()
    return max(candidates, key=lambda one: (min(map(len, one)), -len(one)), default=None)
