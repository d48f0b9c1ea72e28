"""Which of many literals stand in which texts, without regard to the case of ASCII letters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property
from typing import Any, Final

import polars as pl

from vedette.detection.sigma.expressions import pattern

_GRAM: Final = 4
FEW_CHARACTERS: Final = 120_000
"""Up to here looking up stretches of four letters is cheaper than building an automaton of all literals."""
_MANY_TEXTS: Final = 2_048
_MAX_REMEMBERED: Final = 4_096
_FEW_LITERALS: Final = 64
_MAX_LENGTH: Final = 512
_TRIED_EVERY: Final = 16
START_MARK, END_MARK = "\x02", "\x03"
"""Around every text, for literals that begin or end it."""
HITS: Final = pl.Schema({"row": pl.UInt32, "literal": pl.String})


class LiteralScanner:
    """A fixed set of literals, in small letters as far as they are ASCII; others are single letters. Remembers what stood
    in short texts, bounded."""

    def __init__(self, literals: Iterable[str]) -> None:
        self._literals = sorted(literals)
        self._is_framed = any(START_MARK in one or END_MARK in one for one in self._literals)
        self._skipped = 0
        self._remembered: dict[str, tuple[str, ...]] = {}

    def hits(self, texts: pl.Series, rows: pl.Series) -> pl.DataFrame:
        """`row` and `literal`, each pair once. `rows` numbers the texts."""
        if texts.null_count() == texts.len():
            return pl.DataFrame(schema=HITS)
        if texts.len() > _MANY_TEXTS and (distinct := self._distinct(texts)) is not None:
            places = pl.int_range(distinct.len(), dtype=pl.UInt32, eager=True)
            hits = self.hits(distinct, places)
            if hits.is_empty():
                return hits
            numbered = pl.DataFrame([rows.alias("row"), texts.alias("text")])
            listed = pl.DataFrame([places.alias("place"), distinct.alias("text")])
            met = listed.join(hits.rename({"row": "place"}), on="place").select("text", "literal")
            return numbered.join(met, on="text").select(pl.col("row").cast(pl.UInt32), "literal")
        if int(texts.str.len_bytes().sum() or 0) <= FEW_CHARACTERS:
            return self._looked_up(texts, rows)
        texts = START_MARK + texts + END_MARK if self._is_framed else texts
        found = texts.str.extract_many(self._literals, ascii_case_insensitive=True, overlapping=True)
        frame = pl.DataFrame([rows.alias("row"), found.alias("literal")])
        literal = pl.col("literal")
        is_ascii = literal.str.len_bytes() == literal.str.len_chars()
        return (
            frame.filter(literal.list.len() > 0)
            .explode("literal")
            .select(
                pl.col("row").cast(pl.UInt32), pl.when(is_ascii).then(literal.str.to_lowercase()).otherwise(literal)
            )
            .unique()
        )

    def _distinct(self, texts: pl.Series) -> pl.Series | None:
        """Each text once, where they repeat; where they did not lately, that is not tried."""
        if self._skipped:
            self._skipped -= 1
            return None
        distinct = texts.unique()
        if distinct.len() * 2 < texts.len():
            return distinct
        self._skipped = _TRIED_EVERY
        return None

    def _looked_up(self, texts: pl.Series, rows: pl.Series) -> pl.DataFrame:
        """Text by text: only small batches come here."""
        row_numbers: list[int] = []
        literals: list[str] = []
        for row, text in zip(rows, texts, strict=True):
            if text and (found := self.found_in(text)):
                row_numbers.extend([row] * len(found))
                literals.extend(found)
        return pl.DataFrame({"row": row_numbers, "literal": literals}, schema=HITS)

    def found_in(self, text: str) -> tuple[str, ...]:
        """The literals in one text."""
        known = self._remembered.get(text)
        if known is None:
            known = self._found(text)
            if len(text) <= _MAX_LENGTH:
                if len(self._remembered) >= _MAX_REMEMBERED:
                    self._remembered.clear()
                self._remembered[text] = known
        return known

    def _found(self, text: str) -> tuple[str, ...]:
        lower = f"{START_MARK}{text.lower()}{END_MARK}"
        by_gram, short, letters = self._index
        found = {literal for literal in short if literal in lower}
        if self._any_long is None:
            found.update(literal for some in by_gram.values() for literal in some if literal in lower)
        elif self._any_long.search(lower) is not None:
            found |= self._long_in(lower)
        if letters and not text.isascii():
            found |= letters.intersection(text)
        return tuple(found)

    def _long_in(self, lower: str) -> set[str]:
        by_gram = self._index[0]
        found: set[str] = set()
        for gram in by_gram.keys() & {lower[place : place + _GRAM] for place in range(len(lower) - _GRAM + 1)}:
            found.update(literal for literal in by_gram[gram] if literal in lower)
        return found

    @cached_property
    def _any_long(self) -> Any:
        """An expression, of an engine without types, for any of the longer literals; None where they are few."""
        long = [one for one in self._literals if one.isascii() and len(one) >= _GRAM]
        if len(long) <= _FEW_LITERALS:
            return None
        return pattern("|".join("".join(map(_escaped, one)) for one in long))

    @cached_property
    def _index(self) -> tuple[dict[str, list[str]], list[str], frozenset[str]]:
        """Literals by the stretch in them that fewest share, those that are too short to have one, single letters."""
        letters = frozenset(one for one in self._literals if not one.isascii())
        short = [one for one in self._literals if one.isascii() and len(one) < _GRAM]
        long = [one for one in self._literals if one.isascii() and len(one) >= _GRAM]
        shared: defaultdict[str, int] = defaultdict(int)
        for one in long:
            for place in range(len(one) - _GRAM + 1):
                shared[one[place : place + _GRAM]] += 1
        by_gram: defaultdict[str, list[str]] = defaultdict(list)
        for one in long:
            gram = min((one[place : place + _GRAM] for place in range(len(one) - _GRAM + 1)), key=shared.__getitem__)
            by_gram[gram].append(one)
        return dict(by_gram), short, letters


def _escaped(letter: str) -> str:
    return letter if letter.isalnum() else f"\\x{{{ord(letter):x}}}"
