"""What a piece of text is by its looks."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Sequence
from typing import Final

from vedette.formats.columns import LEVEL_NAMES
from vedette.formats.learning.known import words
from vedette.formats.learning.rows import QUOTED, STAMP, Row

METHODS: Final = words("GET HEAD POST PUT PATCH DELETE OPTIONS CONNECT TRACE PROPFIND")
ABSENT: Final = frozenset(
    ("", "-", "--", "none", "null", "nil", "n/a", "N/A", "None", "NULL", "?", "*", "(none)", "<none>")
)
"""What stands for nothing."""

MORE_LEVELS: Final = {
    "dbg": "debug", "trc": "trace", "inf": "info", "inform": "info", "ok": "info", "ntc": "notice", "not": "notice",
    "note": "notice", "wrn": "warning", "attn": "warning", "caution": "warning", "er": "error", "fail": "error",
    "failure": "error", "crt": "critical", "cri": "critical", "ftl": "critical", "fat": "critical", "sev": "critical",
    "alrt": "alert", "alr": "alert", "emg": "emergency", "eme": "emergency", "emr": "emergency", "pnc": "emergency",
    "low": "info", "minor": "notice", "medium": "warning", "med": "warning", "moderate": "warning", "major": "error",
    "high": "error", "hi": "error",
}  # fmt: skip
"""Further names of levels, which only a column of levels gives that meaning."""
_ALL_LEVELS: Final = {**MORE_LEVELS, **LEVEL_NAMES}
_CERTAIN_LEVELS: Final = words(
    "debug info notice warn warning error err crit critical fatal alert emerg trace wrn inf dbg"
)

_OCTETS: Final = r"\d{1,3}(?:\.\d{1,3}){3}"
_V6: Final = r"(?=[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:)[0-9A-Fa-f:]+(?:\.\d{1,3}){0,3}(?:%\w+)?"
_KINDS: Final = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("ip", rf"{_OCTETS}|{_V6}"),
        ("ip-port", rf"{_OCTETS}:\d{{1,5}}|\[{_V6}\]:\d{{1,5}}"),
        ("integer", r"[+-]?\d+"),
        ("number", r"[+-]?\d+[.,]\d+"),
        ("quantity", r"[+-]?\d+(?:[.,]\d+)?(?:ns|us|µs|ms|s|m|h|%|[kKMGT]?i?[bB]|k|K|M|G)"),
        ("clock", r"\d{1,3}:\d{2}(?::\d{2})?(?:[.,]\d+)?"),
        ("uuid", r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"),
        ("mac", r"[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}"),
        ("hex", r"0[xX][0-9A-Fa-f]+|(?=[0-9a-f]*\d)(?=\d*[a-f])[0-9a-f]{6,}|(?=[0-9A-F]*\d)(?=\d*[A-F])[0-9A-F]{8,}"),
        ("url", r"[a-z][a-z0-9+.-]*://\S+"),
        ("path", r"(?:/(?!/)|[A-Za-z]:\\|\\\\)\S*"),
        ("punctuation", r"[^\w\s]+"),
        ("word", r"[^\W\d_]+"),
        ("identifier", r"[\w$@][\w.$@/+-]*"),
    )
)
TYPED: Final = frozenset(
    ("stamp", "quoted", "single-quoted", "ip", "ip-port", "integer", "number", "quantity", "clock", "uuid", "mac", "hex",
     "url", "path", "method", "level")
)  # fmt: skip
"""Kinds that a word of a sentence is not."""


def kind_of(row: Row) -> str:
    """`absent`, `stamp`, `quoted`, a name of the table above, or `mixed`."""
    mask = row.mask
    if mask in ABSENT:
        return "absent"
    if mask and not mask.strip(STAMP):
        return "stamp"
    if len(mask) > 1 and mask[0] == mask[-1] and mask[0] in "\"'" and not mask[1:-1].strip(QUOTED):
        return "quoted" if mask[0] == '"' else "single-quoted"
    return "mixed" if STAMP in mask else _kind_of_text(row.text)


def kind_of_all(rows: Sequence[Row]) -> str:
    """The kind that all share, placeholders aside; `mixed` when there is none, `absent` when nothing else is there."""
    kinds = {kind_of(row) for row in rows} - {"absent"}
    if not kinds:
        return "absent"
    if are_levels({row.text for row in rows}):
        return "level"
    if {row.text for row in rows} - ABSENT <= METHODS:
        return "method"
    return common_kind(kinds)


def common_kind(kinds: set[str]) -> str:
    if len(kinds) == 1:
        return next(iter(kinds))
    for several, common in (
        ({"integer", "number"}, "number"),
        ({"integer", "number", "quantity"}, "quantity"),
        ({"ip", "ip-port"}, "ip-port"),
        ({"integer", "hex"}, "hex"),
        ({"word", "identifier", "hex", "integer", "number"}, "identifier"),
        ({"path", "url"}, "url"),
    ):
        if kinds <= several:
            return common
    return "mixed"


def shape_of(kinds: set[str], texts: Sequence[str]) -> str:
    """An expression for values of a kind that is told by its letters; empty where there is none."""
    if kinds - {"absent"} == {"integer"}:
        shape = r"[+-]?[0-9]+"
    elif kinds - {"absent"} <= {"integer", "number"} and "number" in kinds:
        shape = r"[+-]?[0-9]+(?:[.,][0-9]+)?"
    elif kinds - {"absent"} <= {"ip", "ip-port"} and kinds & {"ip", "ip-port"}:
        shape = r"[0-9A-Fa-f.:\[\]]+"
    elif set(texts) <= METHODS:
        shape = "[A-Z]+"
    elif kinds == {"path"}:
        shape = r"[/\\A-Za-z]\S*"
    elif kinds == {"word"} and all(text.isascii() for text in texts):
        shape = "[A-Za-z][A-Za-z0-9_.-]*"
    else:
        return ""
    return shape if "absent" not in kinds else f"(?:{shape}|-?)"


def are_levels(texts: Iterable[str]) -> bool:
    """All of them are names of levels, and at least one of them can hardly be anything else."""
    names = {text.lower() for text in texts} - ABSENT
    if not names or not names <= _ALL_LEVELS.keys():
        return False
    return bool(names & _CERTAIN_LEVELS) or (len(names) > 1 and all(len(name) == 1 for name in names))


def level_names(texts: Iterable[str]) -> dict[str, str]:
    """What the format file must say about names of levels that are not generally known."""
    names = sorted({text.lower() for text in texts})
    return {name: MORE_LEVELS[name] for name in names if name in MORE_LEVELS and name not in LEVEL_NAMES}


@functools.lru_cache(maxsize=8_192)
def _kind_of_text(text: str) -> str:
    return next((name for name, pattern in _KINDS if pattern.fullmatch(text)), "mixed")
