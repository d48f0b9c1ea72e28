"""Which of many literals stand in which texts, without regard to the case of ASCII letters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property
from typing import Final

import polars as pl

_GRAM: Final = 4
FEW_CHARACTERS: Final = 120_000
"""Up to here looking up stretches of four letters is cheaper than building an automaton of all literals."""
HITS: Final = pl.Schema({"row": pl.UInt32, "literal": pl.String})


class LiteralScanner:
    """A fixed set of literals, in small letters as far as they are ASCII; others are single letters."""

    def __init__(self, literals: Iterable[str]) -> None:
        self._literals = sorted(literals)

    def hits(self, texts: pl.Series, rows: pl.Series) -> pl.DataFrame:
        """`row` and `literal`, each pair at least once. `rows` numbers the texts."""
        if texts.null_count() == texts.len():
            return pl.DataFrame(schema=HITS)
        if int(texts.str.len_bytes().sum() or 0) <= FEW_CHARACTERS:
            return self._looked_up(texts, rows)
        found = texts.str.extract_many(self._literals, ascii_case_insensitive=True, overlapping=True)
        frame = pl.DataFrame([rows.alias("row"), found.alias("literal")])
        frame = frame.filter(pl.col("literal").list.len() > 0)
        return (
            frame.explode("literal")
            .select(pl.col("row").cast(pl.UInt32), pl.col("literal").str.to_lowercase())
            .unique()
        )

    def _looked_up(self, texts: pl.Series, rows: pl.Series) -> pl.DataFrame:
        """Text by text: only small batches come here."""
        by_gram, short, letters = self._index
        grams = by_gram.keys()
        row_numbers: list[int] = []
        literals: list[str] = []
        for row, text in zip(rows, texts, strict=True):
            if not text:
                continue
            lower = text.lower()
            found = [literal for literal in short if literal in lower]
            for gram in grams & {lower[place : place + _GRAM] for place in range(len(lower) - _GRAM + 1)}:
                found.extend(literal for literal in by_gram[gram] if literal in lower)
            if letters and not text.isascii():
                found.extend(letters.intersection(text))
            row_numbers.extend([row] * len(found))
            literals.extend(found)
        return pl.DataFrame({"row": row_numbers, "literal": literals}, schema=HITS)

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
