"""Which of many literals stand in which texts, without regard to the case of ASCII letters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from typing import Final

import polars as pl

from vedette.detection.sigma.triggers import SHORTEST

_GRAM: Final = 4
_FEW_CHARACTERS: Final = 150_000
"""Up to here looking up stretches of four letters is cheaper than building an automaton of all literals."""
HITS: Final = pl.Schema({"row": pl.UInt32, "literal": pl.String})


class LiteralScanner:
    """A fixed set of literals."""

    def __init__(self, literals: Sequence[str]) -> None:
        self._literals = sorted(literals)

    def hits(self, texts: pl.Series, rows: pl.Series) -> pl.DataFrame:
        """`row` and `literal`, each pair at least once. `rows` numbers the texts."""
        if not self._literals or texts.null_count() == texts.len():
            return pl.DataFrame(schema=HITS)
        size = int(texts.str.len_bytes().sum())
        if size <= _FEW_CHARACTERS:
            return self._looked_up(texts, rows)
        found = texts.str.extract_many(self._literals, ascii_case_insensitive=True, overlapping=True)
        frame = pl.DataFrame([rows.alias("row"), found.alias("literal")])
        return (
            frame.filter(pl.col("literal").list.len() > 0)
            .explode("literal")
            .select(pl.col("row").cast(pl.UInt32), pl.col("literal").str.to_lowercase())
        )

    def _looked_up(self, texts: pl.Series, rows: pl.Series) -> pl.DataFrame:
        """Text by text: only small batches come here."""
        by_gram, short = self._index
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
            row_numbers.extend([row] * len(found))
            literals.extend(found)
        return pl.DataFrame({"row": row_numbers, "literal": literals}, schema=HITS)

    @cached_property
    def _index(self) -> tuple[dict[str, list[str]], list[str]]:
        """Literals by the stretch in them that fewest share, and those that are too short to have one."""
        short = [one for one in self._literals if SHORTEST <= len(one) < _GRAM]
        long = [one for one in self._literals if len(one) >= _GRAM]
        shared: defaultdict[str, int] = defaultdict(int)
        for one in long:
            for place in range(len(one) - _GRAM + 1):
                shared[one[place : place + _GRAM]] += 1
        by_gram: defaultdict[str, list[str]] = defaultdict(list)
        for one in long:
            gram = min((one[place : place + _GRAM] for place in range(len(one) - _GRAM + 1)), key=shared.__getitem__)
            by_gram[gram].append(one)
        return dict(by_gram), short
