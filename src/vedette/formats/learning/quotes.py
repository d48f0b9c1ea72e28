"""Values in quotes, all of them or some."""

from __future__ import annotations

from collections.abc import Sequence

from vedette.formats.learning.parts import Capture, Fixed, Part
from vedette.formats.learning.rows import QUOTED, STAMP, Row


def quoted_parts(rows: Sequence[Row], key: str = "") -> list[Part] | None:
    """The quotes with what is in them, where all rows are quoted alike; None otherwise."""
    quote = rows[0].mask[:1]
    if quote not in {'"', "'"} or not all(_is_quoted(row, quote) for row in rows):
        return None
    inner = [row.part(1, len(row.text) - 1) for row in rows]
    texts = [row.text for row in inner]
    if any(texts) and all(row.mask and not row.mask.strip(STAMP) for row in inner):
        return [Fixed(quote), Capture(texts, kind="stamp", key=key), Fixed(quote)]
    return [Fixed(quote), Capture(texts, kind="quoted" if quote == '"' else "single-quoted", key=key), Fixed(quote)]


def sometimes_quoted(rows: Sequence[Row], key: str) -> Capture | None:
    """One capture for values of which only some stand in double quotes; None where none does."""
    is_quoted = [_is_quoted(row, '"') for row in rows]
    if not any(is_quoted):
        return None
    quoted = [row.text[1:-1] for row, quotes in zip(rows, is_quoted, strict=True) if quotes]
    plain = [row.text for row, quotes in zip(rows, is_quoted, strict=True) if not quotes]
    return Capture(plain, key=key, quoted=quoted)


def _is_quoted(row: Row, quote: str) -> bool:
    mask = row.mask
    return len(mask) > 1 and mask[0] == mask[-1] == quote and not mask[1:-1].strip(QUOTED + STAMP)
