"""Few texts and many are judged alike, whichever engine is asked."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vedette.formats import expressions, load_library
from vedette.formats.expressions import FEW, captures, contained, contains, in_re2

LIBRARY = load_library()
SHAPES = sorted({shape for one in LIBRARY.line_formats if (shape := one.definition.looks_like) is not None})
PATTERNS = sorted({pattern for one in LIBRARY.line_formats for pattern in one.definition.patterns})
ODD = ["", " ", "\n", "a\x0bb", "\x85x", "\u00a0\u2003", "K\u212a", "ſ", "é-ü", "٣٤", "a\nb", "\t[x]", "😀 1"]
SAMPLES = [*LIBRARY.samples["line"].to_list(), *ODD]


@pytest.mark.parametrize("number", range(8))
def test_the_shapes_of_all_formats_say_the_same_of_few_texts_as_of_many(number: int) -> None:
    texts = pl.Series(SAMPLES)
    assert texts.len() > FEW
    asked = [SAMPLES[start : start + FEW] for start in range(0, len(SAMPLES), FEW)]
    for pattern in [*SHAPES, *PATTERNS][number::8]:
        few = pl.concat([contains(pl.Series(some, dtype=pl.String), pattern) for some in asked])
        assert few.to_list() == texts.str.contains(pattern).to_list(), pattern


def test_all_shapes_at_once_say_what_each_says() -> None:
    some = [None, *SAMPLES[::7][: FEW - 20], *ODD]
    told = contained(pl.Series(some, dtype=pl.String), SHAPES)
    texts = pl.Series(some, dtype=pl.String)
    for shape, found in zip(SHAPES, told, strict=True):
        assert found.to_list() == texts.str.contains(shape).to_list(), shape


def test_texts_that_cannot_be_asked_for_all_at_once_are_asked_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    out_of_memory = expressions._Together(lambda _: None, left_out=frozenset())
    monkeypatch.setattr(expressions, "_kept_together", lambda _: out_of_memory)
    told = contained(pl.Series(["a1", None, "b", "c1"]), ["[ab]", "1$"])
    assert [one.to_list() for one in told] == [[True, None, True, False], [True, None, False, True]]


def test_most_shapes_are_asked_of_the_kept_engine() -> None:
    assert sum(in_re2(shape) is not None for shape in SHAPES) > 0.9 * len(SHAPES)


@pytest.mark.parametrize(
    "pattern",
    [r"\bx", r"\w", r"\d", r"[^\S]", "[a[bc]]", "[a&&b]", r"[[:alpha:]--x]", "(?x) a b", "(?i-u:ß)", r"a|b[\w]"],
)
def test_what_the_engines_may_read_differently_is_not_translated(pattern: str) -> None:
    assert in_re2(pattern) is None


@pytest.mark.parametrize("pattern", [r"^\s+$", r"[\s\]]x", r"(?s)^(?P<a.b>.)\n?", r"(?-u:\b)x", r"(?i)k", r"[^\]a-c]$"])
@settings(max_examples=80, deadline=None)
@given(text=st.text(st.sampled_from(list("abckKſ\u212a ]x\n\t\x0b\x85\u00a0\u3000é😀")), max_size=6))
def test_both_engines_agree(pattern: str, text: str) -> None:
    assert in_re2(pattern) is not None
    assert contains(pl.Series([text]), pattern).to_list() == pl.Series([text]).str.contains(pattern).to_list()


def test_nothing_is_found_in_nothing() -> None:
    assert contains(pl.Series([None, "a"]), "a").to_list() == [None, True]
    assert contains(pl.Series([], dtype=pl.String), "a").to_list() == []


def test_captures_are_columns() -> None:
    parts = captures(pl.Series(["a=1", "b"]), "(?P<k>[a-z])=(?P<v>[0-9])")
    assert parts.to_dict(as_series=False) == {"k": ["a", None], "v": ["1", None]}
