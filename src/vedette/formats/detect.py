"""Which format a source is written in, and why we think so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import polars as pl

from vedette.formats.colours import without_colours
from vedette.formats.contract import Fit
from vedette.formats.library import FormatLibrary

SAMPLE_LINES: Final = 100
_CLEARLY_BETTER: Final = 0.05
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
    ranks = {one.name: one.rank for one in library.line_formats}
    sample = without_colours(pl.Series("line", sample, dtype=pl.String)).to_list()
    fits = [fit for one in library.line_formats if (fit := one.fits(sample)).confidence > 0]
    ordered = sorted(fits, key=lambda fit: (-fit.confidence, -ranks[fit.format_name], fit.format_name))
    if ordered:
        rivals = [fit for fit in ordered if ordered[0].confidence - fit.confidence <= _CLEARLY_BETTER]
        best = max(rivals, key=lambda fit: ranks[fit.format_name])
        ordered.remove(best)
        ordered.insert(0, best)
    return ordered


def choose_format(
    library: FormatLibrary, sample: Sequence[str], *, source: str, path: str, now: datetime
) -> FormatChoice:
    """The choice for a file by the first lines of it that we see."""
    ranked = rank_formats(library, sample)
    if ranked and ranked[0].confidence >= _SMALLEST_SHARE:
        best = ranked[0]
        reason = best.reason
        if len(ranked) > 1:
            reason += f"; next is {ranked[1].format_name} with {ranked[1].confidence:.2f}"
        return FormatChoice(source, path, best.format_name, best.confidence, reason, now)
    return FormatChoice(source, path, library.plain.name, 0.0, f"no format explains {len(sample)} lines", now)


def sample_of(lines: Sequence[str]) -> Sequence[str]:
    """At most SAMPLE_LINES: the first half as they come, the rest spread over all."""
    if len(lines) <= SAMPLE_LINES:
        return lines
    head = SAMPLE_LINES // 2
    step = (len(lines) - head) / head
    return [*lines[:head], *(lines[head + int(index * step)] for index in range(head))]
