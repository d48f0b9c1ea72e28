"""Names that rotation gives to files: which belong together, and which is older."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

COMPRESSED: Final = (".gz", ".bz2", ".xz", ".zst")

_DATE: Final = r"\d{4}-?\d{2}-?\d{2}(?:[-_T.]?\d{2}(?:[-:.]?\d{2}){0,2})?|\d{9,10}"
_AFTER_NAME: Final = re.compile(rf"^(?P<root>.+?)[.\-_](?P<mark>{_DATE}|\d{{1,5}}|old|prev|bak|orig)$")
_BEFORE_SUFFIX: Final = re.compile(rf"^(?P<stem>.+?)[.\-_](?P<mark>{_DATE}|\d{{1,5}})(?P<suffix>\.[a-z]{{2,6}})$")
_OLDER_WORDS: Final = ("old", "prev", "bak", "orig")


@dataclass(frozen=True, slots=True)
class RotatedName:
    """A file name taken apart: `app.log.2.gz` has root `app.log`, mark `2`. The mark of a live name is empty."""

    root: str
    mark: str
    is_compressed: bool


def rotated_name(name: str) -> RotatedName:
    """What a file name says about rotation: numbers, dates and words behind the name (`app.log.1`,
    `app.log-20260104`, `app.log.old`) or before its suffix (`app-2026-01-04.log`, `app.1.log`)."""
    bare = name
    is_compressed = False
    for suffix in COMPRESSED:
        if bare.endswith(suffix):
            bare, is_compressed = bare.removesuffix(suffix), True
    if match := _AFTER_NAME.match(bare):
        return RotatedName(match["root"], match["mark"], is_compressed)
    if match := _BEFORE_SUFFIX.match(bare):
        return RotatedName(match["stem"] + match["suffix"], match["mark"], is_compressed)
    return RotatedName(bare, "", is_compressed)


def root_of(path: str) -> str:
    """The live name behind a path: the same for a file and everything it was rotated to in its folder."""
    pure = PurePath(path)
    return str(pure.with_name(rotated_name(pure.name).root)) if pure.name else path


def age_key(path: str, modified_ns: int) -> tuple[int, int, str, int]:
    """Sorts the files of one root from oldest to newest: words, then dates rising, then numbers falling, then the
    live name. The time of the last change decides between equals."""
    mark = rotated_name(PurePath(path).name).mark
    if not mark:
        return 3, 0, "", modified_ns
    if mark in _OLDER_WORDS:
        return 2, 0, "", modified_ns
    if len(mark) <= 5:
        return 1, -int(mark), "", modified_ns
    return 0, 0, re.sub(r"\D", "", mark), modified_ns
