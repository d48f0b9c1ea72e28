"""Which format a source is written in, and why we think so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import polars as pl

from vedette.formats.beginnings import OTHER
from vedette.formats.codecs.line import LineFormat
from vedette.formats.colours import without_colours
from vedette.formats.contract import Fit
from vedette.formats.library import FormatLibrary

SAMPLE_LINES: Final = 100
_CLEARLY_BETTER: Final = 0.05
_ASKED_AT_ONCE: Final = 10
_SMALLEST_SHARE: Final = 0.2
"""Below this a format explains too little to be the source's format."""


@dataclass(frozen=True, slots=True)
class FormatChoice:
    """The format a file of a source is read with first; lines it does not explain are still offered to all others."""

    source: str
    path: str
    format: str
    confidence: float
    reason: str
    since: datetime

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "since": self.since.isoformat()}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> FormatChoice:
        return cls(
            source=str(content["source"]),
            path=str(content["path"]),
            format=str(content["format"]),
            confidence=float(content["confidence"]),
            reason=str(content["reason"]),
            since=datetime.fromisoformat(content["since"]),
        )


def rank_formats(library: FormatLibrary, sample: Sequence[str]) -> list[Fit]:
    """All formats that explain anything of the sample, the best first; of nearly equal ones the more specific."""
    return _ranked(library, list(_fits(library, sample)))


def choose_format(
    library: FormatLibrary, sample: Sequence[str], *, source: str, path: str, now: datetime
) -> FormatChoice:
    """The choice for a file by the first lines of it that we see. Stops looking when nothing can be better."""
    ranked = _ranked(library, list(_fits(library, sample, until_clear=True)))
    if ranked and ranked[0].confidence >= _SMALLEST_SHARE:
        best = ranked[0]
        reason = best.reason
        if len(ranked) > 1:
            reason += f"; next is {ranked[1].format_name} with {ranked[1].confidence:.2f}"
        return FormatChoice(source, path, best.format_name, best.confidence, reason, now)
    return FormatChoice(source, path, library.plain.name, 0.0, f"no format explains {len(sample)} lines", now)


def _fits(library: FormatLibrary, sample: Sequence[str], *, until_clear: bool = False) -> Iterator[Fit]:
    """Fits above 0, the most specific formats first.

    A format is asked about the lines that begin as its do, some formats at once about their shape, and only those
    with a shape among them about the rest. With `until_clear` the end comes when what is left cannot be chosen.
    """
    told = [line for line in sample if line and not line.isspace()]
    lines = without_colours(pl.Series("line", told, dtype=pl.String))
    if lines.is_empty():
        return
    firsts = Counter(letter if letter < OTHER else OTHER for letter in lines.str.head(1))
    shares = {
        one: sum(firsts[letter] for letter in firsts if letter in one.begins) / lines.len()
        for one in library.line_formats
    }
    left = [one for one, share in shares.items() if share]
    best = 0.0

    def may_be_chosen(one: LineFormat) -> bool:
        return not (until_clear and best) or one.confidence(shares[one]) > best + _CLEARLY_BETTER

    while left := [one for one in left if may_be_chosen(one)]:
        asked, left = left[:_ASKED_AT_ONCE], left[_ASKED_AT_ONCE:]
        for one in _with_shape(asked, lines):
            if may_be_chosen(one) and (fit := one.fits(lines)).confidence > 0:
                best = max(best, fit.confidence)
                yield fit


def _with_shape(formats: Sequence[LineFormat], lines: pl.Series) -> list[LineFormat]:
    """Those that any line looks like."""
    line = pl.col("line")
    shapes = {one.name: one.definition.looks_like for one in formats}
    asked = [line.str.contains(shape).any().alias(name) for name, shape in shapes.items() if shape is not None]
    looks = lines.to_frame("line").select(asked).row(0, named=True) if asked else {}
    return [one for one in formats if looks.get(one.name, True)]


def _ranked(library: FormatLibrary, fits: Sequence[Fit]) -> list[Fit]:
    ranks = {one.name: one.rank for one in library.line_formats}
    ordered = sorted(fits, key=lambda fit: (-fit.confidence, -ranks[fit.format_name], fit.format_name))
    if ordered:
        rivals = [fit for fit in ordered if ordered[0].confidence - fit.confidence <= _CLEARLY_BETTER]
        best = max(rivals, key=lambda fit: ranks[fit.format_name])
        ordered.remove(best)
        ordered.insert(0, best)
    return ordered


def sample_of(lines: Sequence[str]) -> Sequence[str]:
    """At most SAMPLE_LINES: the first half as they come, the rest spread over all."""
    if len(lines) <= SAMPLE_LINES:
        return lines
    head = SAMPLE_LINES // 2
    step = (len(lines) - head) / head
    return [*lines[:head], *(lines[head + int(index * step)] for index in range(head))]
