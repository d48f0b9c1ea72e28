"""Which formats a line may be of, by its first characters, remembered for each way that lines begin."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Final

import polars as pl

from vedette.formats.beginnings import DEPTH, OTHER, Opening, shared
from vedette.formats.codecs.line import LineFormat

_SHORT: Final = 12
_FEW_FORMATS: Final = 2
_MANY_HEADS: Final = 256
_MOST_REMEMBERED: Final = 16_384
_MASKS: Final = (("0", string.digits), ("a", string.ascii_lowercase), ("A", string.ascii_uppercase))


def masked_heads(lines: pl.Series) -> tuple[pl.Series, bool]:
    """The first characters of lines, every digit as 0; where lines begin in many ways fewer of them, and where that does
    not suffice every letter as a or A. The second value says whether letters are masked."""
    heads = lines.str.head(DEPTH).str.replace_all("[0-9]", "0")
    if heads.n_unique() <= _MANY_HEADS:
        return heads, False
    heads = heads.str.head(_SHORT)
    if heads.n_unique() <= _MANY_HEADS:
        return heads, False
    return heads.str.replace_all("[a-z]", "a").str.replace_all("[A-Z]", "A"), True


class Openers:
    """The formats by what their lines begin with. Bounded; safe to use from several threads."""

    def __init__(self, formats: Sequence[LineFormat]) -> None:
        self._formats = tuple(formats)
        self._openings = {
            are_masked: {one.name: _masked(one.opens, len(_MASKS) if are_masked else 1) for one in formats}
            for are_masked in (False, True)
        }
        self._known: dict[tuple[str, bool], tuple[LineFormat, ...]] = {}

    def formats_of(self, head: str, *, are_masked: bool) -> tuple[LineFormat, ...]:
        """The formats whose lines may begin so, in their order; none for nothing. `head` is of `masked_heads`."""
        key = head, are_masked
        known = self._known.get(key)
        if known is None:
            if len(head) > _SHORT:
                among = self.formats_of(head[:_SHORT], are_masked=are_masked)
                start = _SHORT if len(among) > _FEW_FORMATS else len(head)
            else:
                among, start = self._formats if head else (), 0
            letters = [letter if letter < OTHER else OTHER for letter in head[start:]]
            openings = self._openings[are_masked]
            known = tuple(
                one
                for one in among
                if all(letter in at for letter, at in zip(letters, openings[one.name][start:], strict=False))
            )
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            self._known[key] = known
        return known


def _masked(opening: Opening, masks: int) -> Opening:
    """With the mask of each kind of which a character is allowed."""
    return tuple(
        shared(at | {mask for mask, letters in _MASKS[:masks] if not at.isdisjoint(letters)}) for at in opening
    )
