"""The key `vedette` of a rule: read, and what is wrong with it said without disabling the rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from vedette.detection.sigma.rules import OwnKeys

_MAX_FIELDS: Final = 8
_MAX_TEXT: Final = 500
_LARGEST_AMOUNT: Final = 9


class _Wrong(Exception):
    """What the value should be."""


def own_keys(written: object) -> tuple[OwnKeys, list[tuple[str, str, str]]]:
    """The keys, and (reason, remedy, text at fault) for each that cannot be used."""
    if written is None:
        return OwnKeys(), []
    if not isinstance(written, dict):
        return OwnKeys(), [("`vedette` is no mapping and is left out", "write keys and values below it", "vedette:")]
    keys: dict[str, Any] = {}
    notes = []
    for name, value in written.items():
        reader = _READERS.get(str(name))
        if reader is None:
            remedy = f"use {', '.join(_READERS)}"
            notes.append((f"`vedette` has the unknown key {str(name)!r}, which is left out", remedy, f"{name}:"))
            continue
        try:
            keys[str(name)] = reader(value)
        except _Wrong as wrong:
            notes.append((f"`vedette.{name}` is {value!r} and is left out", str(wrong), f"{name}:"))
    return OwnKeys(**keys), notes


def _fields(value: object) -> tuple[str, ...]:
    names = value if isinstance(value, list) else [value]
    if not all(isinstance(name, str) and name for name in names) or len(names) > _MAX_FIELDS:
        raise _Wrong(f"give a field or a list of at most {_MAX_FIELDS}")
    return tuple(map(str, names))


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        raise _Wrong(f"give a text of at most {_MAX_TEXT} characters")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise _Wrong("write true or false")
    return value


def _amounts(value: object) -> tuple[tuple[str, int], ...]:
    if not isinstance(value, Mapping):
        raise _Wrong("write reasons and amounts: `{success after failures: 2}`")
    for amount in value.values():
        if isinstance(amount, bool) or not isinstance(amount, int) or abs(amount) > _LARGEST_AMOUNT:
            raise _Wrong(f"give whole amounts between -{_LARGEST_AMOUNT} and {_LARGEST_AMOUNT}")
    return tuple((str(reason), amount) for reason, amount in value.items())


_READERS: Final[dict[str, Callable[[object], object]]] = {
    "attempt": _fields,
    "weight": _text,
    "silent": _flag,
    "title": _text,
    "summary": _text,
    "severity": _amounts,
}
