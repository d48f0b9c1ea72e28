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
_WORD: Final = 'ecords"'
_FEW: Final = 1_024
"""Up to here looking at the texts one by one is cheaper than setting the column engine to work."""
_BETWEEN: Final = re.compile(r"\s*,\s*")
_CLOSING: Final = re.compile(r"\s*\]\s*\}\s*")
_BLANKS: Final = re.compile(r"\s*")
_decode: Final = json.JSONDecoder().raw_decode


def members_apart(entries: pl.DataFrame, encoding: str, *, begins_within: bool = False) -> pl.DataFrame:
    """The entries (ENTRY_SCHEMA), lists of records as their members; the same frame where there is none. A list that is
    not whole, or holds anything but objects, stays one entry. `begins_within`: the first entry may be the rest of a list,
    from the beginning of a member on, because reading was resumed there."""
    if not begins_within and not _has_list(entries["text"]):
        return entries
    rows: list[tuple[Any, ...]] = []
    for number, row in enumerate(entries.iter_rows()):
        rows += _members_of(row, encoding, may_be_rest=begins_within and number == 0)
    return pl.DataFrame(rows, schema=ENTRY_SCHEMA, orient="row")


def _has_list(texts: pl.Series) -> bool:
    if texts.len() > _FEW:
        return bool(texts.str.contains(_LIST).any())
    return any(_OPENING.match(text) for text in texts.to_list() if _WORD in text)


def members_at_the_beginning(text: str) -> list[str]:
    """The members of the list that a text begins with, as far as they are whole; empty where it begins otherwise."""
    opening = _OPENING.match(text)
    return [text[start:end] for start, end in _whole_members(text, opening.end())] if opening else []


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
    spans = _whole_members(text, place)
    return spans if spans and _CLOSING.fullmatch(text, spans[-1][1]) else None


def _whole_members(text: str, place: int) -> list[tuple[int, int]]:
    """Where the objects stand that follow one another from `place` on, up to what is none."""
    spans: list[tuple[int, int]] = []
    following = _BLANKS.match(text, place)
    while following is not None:
        try:
            member, end = _decode(text, following.end())
        except (ValueError, RecursionError):
            break
        if not isinstance(member, dict):
            break
        spans.append((following.end(), end))
        following = _BETWEEN.match(text, end)
    return spans


def _offsets(places: list[int], text: str, encoding: str) -> Iterator[int]:
    """Bytes before each of the ascending places."""
    before, last = 0, 0
    for place in places:
        before += len(text[last:place].encode(encoding))
        last = place
        yield before
