"""Triggers: literals of which one must stand in an event if a rule is to match it.

Of an AND the best child, of an OR the union, of a NOT nothing. A literal is a stretch of small ASCII letters, digits and signs
that every layout writes as they are, so that it can be looked for in raw JSON as well as in the values taken out of it.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from re import _parser as _python_syntax  # type: ignore[attr-defined]  # the only parser of expressions there is
from typing import Any, Final

from vedette.detection.sigma.expressions import PlacesOf
from vedette.detection.sigma.fields import URL_PARTS
from vedette.detection.sigma.rules import AllOf, AnyOf, Clause, Node, Not, Operator
from vedette.model.events import EVENT_SCHEMA

SHORTEST: Final = 3
_MOST_LITERALS: Final = 5_000
_PLAIN: Final = re.compile(r"[a-z0-9 .,:;=_%()\[\]{}|@#$!?*^~`-]+")
_WILDCARDS: Final = re.compile(r"\.\*?")
_ESCAPE: Final = re.compile(r"\\x\{([0-9a-f]+)\}")
_KEYWORD_TEXTS: Final = frozenset({"event.original", "fields"})


@dataclass(frozen=True, slots=True)
class Trigger:
    """One of the literals must stand in one of the columns."""

    literals: frozenset[str]
    columns: frozenset[str]


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is known of a condition before the event is looked at: whether it holds (None: it depends), and what must
    stand in the event if it is to hold (None: nothing in particular)."""

    truth: bool | None
    trigger: Trigger | None = None


_DEPENDS: Final = Outlook(None)
Rarity = Callable[[str], float]
"""How often a literal is met, as a share of events."""


def outlook(node: Node, places_of: PlacesOf, kind: Mapping[str, str | None], rarity: Rarity) -> Outlook:
    """Of the condition for events of the kind, whose values are in small letters."""
    match node:
        case Clause():
            return _of_clause(node, places_of, kind)
        case Not(member):
            truth = outlook(member, places_of, kind, rarity).truth
            return _DEPENDS if truth is None else Outlook(not truth)
        case AllOf(members):
            parts = [outlook(one, places_of, kind, rarity) for one in members]
            if any(one.truth is False for one in parts):
                return Outlook(False)
            parts = [one for one in parts if one.truth is None]
            if not parts:
                return Outlook(True)
            triggers = [one.trigger for one in parts if one.trigger is not None]
            return Outlook(None, min(triggers, key=lambda one: _cost(one, rarity)) if triggers else None)
        case AnyOf(members):
            parts = [outlook(one, places_of, kind, rarity) for one in members]
            if any(one.truth is True for one in parts):
                return Outlook(True)
            parts = [one for one in parts if one.truth is None]
            if not parts:
                return Outlook(False)
            return Outlook(None, _union([one.trigger for one in parts]))


def kind_keys_in(node: Node, keys: frozenset[str]) -> bool:
    """Whether the condition asks for one of these fields."""
    match node:
        case Clause():
            return node.field is not None and node.field in keys
        case Not(member):
            return kind_keys_in(member, keys)
        case AllOf(members) | AnyOf(members):
            return any(kind_keys_in(one, keys) for one in members)


def _of_clause(clause: Clause, places_of: PlacesOf, kind: Mapping[str, str | None]) -> Outlook:
    if clause.operator is Operator.NEVER:
        return Outlook(False)
    places = () if clause.field is None else places_of(clause.field)
    if places and places[0] not in EVENT_SCHEMA and clause.operator is Operator.EQUALS and not clause.is_cased:
        value = kind.get(places[0])
        if value is not None:
            return Outlook(value == clause.value.lower())
    literals = _literals(clause)
    if not literals:
        return _DEPENDS
    return Outlook(None, Trigger(literals, _columns(places) if places else _KEYWORD_TEXTS))


def _columns(places: Sequence[str]) -> frozenset[str]:
    columns = {
        "url.original" if name in URL_PARTS else name for name in places if name in EVENT_SCHEMA or name in URL_PARTS
    }
    return frozenset({*columns, "fields"})


def _literals(clause: Clause) -> frozenset[str] | None:
    match clause.operator:
        case Operator.EQUALS | Operator.STARTS | Operator.ENDS | Operator.CONTAINS:
            return _longest([clause.value.lower()])
        case Operator.LIKE:
            pieces = _WILDCARDS.split(clause.value.removeprefix("(?s)^").removesuffix("$"))
            return _longest([_ESCAPE.sub(_character, piece).lower() for piece in pieces])
        case Operator.REGEX:
            return _of_expression(clause.value)
    return None


def _character(found: re.Match[str]) -> str:
    return chr(int(found[1], 16))


def _longest(texts: Iterable[str]) -> frozenset[str] | None:
    stretches = [one for text in texts for one in _PLAIN.findall(text)]
    best = max(stretches, key=len, default="")
    return frozenset({best}) if len(best) >= SHORTEST else None


def _cost(trigger: Trigger, rarity: Rarity) -> float:
    return sum(map(rarity, trigger.literals))


def guessed_rarity(literal: str) -> float:
    """Before anything is known of the data: the longer the rarer, what Windows writes everywhere is not rare."""
    share = 0.5 / len(literal) ** 2
    return share * 20 if literal.rstrip(". ") in _COMMON else share


_COMMON: Final = frozenset({
    "windows", "system32", "microsoft", "program files", "program files (x86)", "users", "appdata", "powershell.exe",
    "cmd.exe", "svchost.exe", "explorer.exe", "powershell", "c:", "http", "https", ".exe", ".dll", "temp", "local",
    "services.exe", "system", "user", "windowspowershell", "microsoft corporation", "rundll32.exe", "conhost.exe",
    "syswow64", "programdata", "true", "false", "nt authority", "software", "currentversion", "hklm", "hkcu",
})  # fmt: skip


def _union(triggers: Sequence[Trigger | None]) -> Trigger | None:
    literals: set[str] = set()
    columns: set[str] = set()
    for one in triggers:
        if one is None:
            return None
        literals |= one.literals
        columns |= one.columns
    return Trigger(frozenset(literals), frozenset(columns)) if len(literals) <= _MOST_LITERALS else None


@lru_cache(maxsize=8_192)
def _of_expression(expression: str) -> frozenset[str] | None:
    """Literals of which one stands in every text the expression is found in; None where there are none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = _python_syntax.parse(expression)
    except (re.error, RecursionError, OverflowError, ValueError):
        return None
    found = _required(tree)
    return found if found and len(found) <= _MOST_LITERALS else None


def _required(sequence: Iterable[tuple[Any, Any]]) -> frozenset[str] | None:
    """`sequence` is what Python's parser makes: pairs of an operation's name and its arguments."""
    candidates: list[frozenset[str]] = []
    run: list[str] = []

    def end_run() -> None:
        if run:
            if (best := _longest(["".join(run).lower()])) is not None:
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
                inner = _required(arguments[-1])
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                end_run()
                inner = _required(arguments[2]) if arguments[0] >= 1 else None
            case "ATOMIC_GROUP":
                end_run()
                inner = _required(arguments)
            case "BRANCH":
                end_run()
                branches = [_required(one) for one in arguments[1]]
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
