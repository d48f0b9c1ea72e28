"""Records that a cloud delivers as the members of one list, `{"Records":[{…},{…}]}` in one line: an entry each.

CloudTrail writes its files so, Azure Monitor some of its exports. A member's place is where it begins in the file, so that
its id stays a position. The bytes between members, brackets and commas, belong to the entry before them, those before the
first to the first: no byte of the line is without an entry, and none has two.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import polars as pl

from vedette.model.entries import ENTRY_SCHEMA, EntryFlag

_LIST: Final = r'^\s*\{\s*"[Rr]ecords"\s*:\s*\['
_OPENING: Final = re.compile(_LIST)
_BETWEEN: Final = re.compile(r"\s*,\s*")
_CLOSING: Final = re.compile(r"\s*\]\s*\}\s*")
_BLANKS: Final = re.compile(r"\s*")
_decode: Final = json.JSONDecoder().raw_decode


def members_apart(entries: pl.DataFrame, encoding: str, *, begins_within: bool = False) -> pl.DataFrame:
    """The entries (ENTRY_SCHEMA), lists of records as their members; the same frame where there is none. A list that is
    not whole, or holds anything but objects, stays one entry. `begins_within`: the first entry may be the rest of a list,
    from the beginning of a member on, because reading was resumed there."""
    if not begins_within and not entries["text"].str.contains(_LIST).any():
        return entries
    rows: list[tuple[Any, ...]] = []
    for number, row in enumerate(entries.iter_rows()):
        rows += _members_of(row, encoding, may_be_rest=begins_within and number == 0)
    return pl.DataFrame(rows, schema=ENTRY_SCHEMA, orient="row")


def _members_of(row: tuple[Any, ...], encoding: str, *, may_be_rest: bool) -> list[tuple[Any, ...]]:
    offset, length, text, flags, _ = row
    if flags & ~EntryFlag.UNFINISHED:
        return [row]
    opening = _OPENING.match(text)
    spans = (_spans(text, 0) if may_be_rest else None) or (_spans(text, opening.end()) if opening else None)
    if spans is None:
        return [row]
    starts = list(_offsets([0, *(start for start, _ in spans[1:])], text, encoding))
    ends = [*starts[1:], length]
    kept = [EntryFlag(0)] * (len(spans) - 1) + [EntryFlag(flags)]
    return [
        (offset + start, end - start, text[first:last], int(flag), None)
        for start, end, (first, last), flag in zip(starts, ends, spans, kept, strict=True)
    ]


def _spans(text: str, place: int) -> list[tuple[int, int]] | None:
    """Where the members of the list stand in the text from `place` on; None where it is no list of objects up to the
    end."""
    spans: list[tuple[int, int]] = []
    place = _behind(_BLANKS, text, place)
    try:
        while True:
            member, end = _decode(text, place)
            if not isinstance(member, dict):
                return None
            spans.append((place, end))
            comma = _BETWEEN.match(text, end)
            if comma is None:
                break
            place = comma.end()
    except (ValueError, RecursionError):
        return None
    return spans if _CLOSING.fullmatch(text, spans[-1][1]) else None


def _behind(pattern: re.Pattern[str], text: str, place: int) -> int:
    found = pattern.match(text, place)
    return found.end() if found else place


def _offsets(places: list[int], text: str, encoding: str) -> Iterator[int]:
    """Bytes before each of the ascending places."""
    before, last = 0, 0
    for place in places:
        before += len(text[last:place].encode(encoding))
        last = place
        yield before
