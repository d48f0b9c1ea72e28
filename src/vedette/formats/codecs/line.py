"""What every line format has in common, whatever takes its lines apart."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Final

import polars as pl

from vedette.formats.beginnings import ANYTHING, Opening, opening
from vedette.formats.columns import apply_cases, typed_columns
from vedette.formats.contract import Fit, ParseContext
from vedette.formats.definition import FormatFile
from vedette.formats.timestamps import read_stamps
from vedette.model.events import EVENT_SCHEMA

TIME_MISSING: Final = "time-missing"
TIME_WRONG: Final = "time-wrong"
_CODE: Final = "event.code"
_WEIGHT_OF_CONTINUING: Final = 0.75
"""What a line counts that only continues a record, beside one that has the format's shape."""

_LEAST_SPECIFIC: Final = 0.8
"""How much of its confidence a format of rank 0 keeps; one of rank 100 keeps all."""


class LineFormat(ABC):
    """A format made from its file. Subclasses say which lines are theirs and what their parts are."""

    has_headers: ClassVar[bool] = False
    """Lines before others may name their columns (`ParseContext.header`)."""

    def __init__(self, definition: FormatFile) -> None:
        self.definition = definition
        self.name = definition.name
        self.rank = definition.rank
        self.opens = self._opens()
        """What all lines that match begin with."""

    @abstractmethod
    def matches(self, lines: pl.Series) -> pl.Series:
        """Which lines have the shape of this format (Boolean, same order)? Judged line by line; cheap."""

    @property
    def begins(self) -> frozenset[str]:
        """The first characters of all lines that match, at least (`beginnings.OTHER` for those beyond ASCII)."""
        return self.opens[0]

    def _opens(self) -> Opening:
        """Subclasses whose lines need more than `looks_like`, or have none, say so."""
        return opening(self.definition.looks_like) if self.definition.looks_like is not None else ANYTHING

    @abstractmethod
    def split(self, lines: pl.Series, context: ParseContext) -> pl.DataFrame:
        """Take apart lines of which all match: text columns named like captures; or, already typed, event columns.

        `time` is the stamp as text.
        """

    def fits_header(self, lines: pl.Series, header: str) -> pl.Series:
        """Which lines have the columns that a header of this format names? Asked of formats with headers only."""
        raise NotImplementedError(f"{self.name} has no headers")

    def confidence(self, share: float) -> float:
        """How sure a share of lines that match makes of the format."""
        return round(share * (_LEAST_SPECIFIC + (1 - _LEAST_SPECIFIC) * self.rank / 100), 4)

    def fits(self, sample: Sequence[str] | pl.Series) -> Fit:
        lines = pl.Series("line", [line for line in sample if line and not line.isspace()], dtype=pl.String)
        if lines.is_empty():
            return Fit(self.name, 0.0, "the sample is empty")
        fit = self.matches(lines)
        fitting = int(fit.sum())
        reason = f"{fitting} of {lines.len()} lines have its shape"
        if continuing := self._count_continuing(lines, fit):
            reason += f", {continuing} continue them"
        return Fit(self.name, self.confidence((fitting + _WEIGHT_OF_CONTINUING * continuing) / lines.len()), reason)

    def _count_continuing(self, lines: pl.Series, fit: pl.Series) -> int:
        """How many lines continue, as the format says, a record that is this format's."""
        patterns = self.definition.continues
        if not patterns or not fit.any() or fit.all():
            return 0
        may_continue = lines.to_frame("line").select(
            pl.any_horizontal(pl.col("line").str.contains(pattern) for pattern in patterns) & ~pl.lit(fit)
        )
        told = pl.DataFrame({"fit": fit, "may": may_continue.to_series()})
        head_fits = pl.when(~pl.col("may")).then("fit").forward_fill().fill_null(value=False)
        return int(told.select((pl.col("may") & head_fits).sum()).item())

    def parse(self, lines: pl.Series, context: ParseContext) -> pl.DataFrame:
        fit = self.matches(lines)
        if not fit.any():
            return _unparsed(lines)
        if fit.all():
            return self.parse_matching(lines, context)
        rows = pl.DataFrame({"line": lines, "row": pl.int_range(lines.len(), dtype=pl.UInt32, eager=True)})
        parsed = self.parse_matching(lines.filter(fit), context).with_columns(rows.filter(fit)["row"])
        others = rows.filter(~fit)
        whole = pl.concat([parsed, _unparsed(others["line"]).with_columns(others["row"])], how="diagonal")
        return whole.sort("row").drop("row")

    def take(self, lines: pl.Series, context: ParseContext) -> tuple[pl.Series, pl.DataFrame]:
        """Which lines match, and the columns of those, as `matches` and `parse_matching` tell them."""
        fits = self.matches(lines)
        taken = lines if fits.all() else lines.filter(fits)
        return fits, self.parse_matching(taken, context) if taken.len() else taken.to_frame("message")

    def parse_matching(self, lines: pl.Series, context: ParseContext) -> pl.DataFrame:
        """As `parse`, for lines of which all match."""
        return self.columns_of(lines, self.split(lines, context), context)

    def columns_of(self, lines: pl.Series, parts: pl.DataFrame, context: ParseContext) -> pl.DataFrame:
        """Event columns of lines and what `split` made of them."""
        columns = self.typed(parts)
        if self.definition.cases:
            columns = self._with_cases(columns, parts)
        if self.definition.defaults:
            columns = _with_defaults(columns, self.definition)
        if "message" not in columns.columns:
            columns = columns.with_columns(lines.alias("message"))
        return columns.with_columns(*self._times(parts, context), pl.lit("parsed").alias("parse.status"))

    def _with_cases(self, columns: pl.DataFrame, parts: pl.DataFrame) -> pl.DataFrame:
        if _CODE not in parts.columns:
            return apply_cases(columns, self.definition.cases)
        return apply_cases(columns.with_columns(parts[_CODE]), self.definition.cases).drop(_CODE)

    def typed(self, parts: pl.DataFrame) -> pl.DataFrame:
        """Event columns of what `split` returned, without the time."""
        return typed_columns(parts, absent=self.definition.absent, levels=self.definition.levels)

    def _times(self, parts: pl.DataFrame, context: ParseContext) -> tuple[pl.Series, pl.Expr]:
        if "time" not in parts.columns:
            missing = pl.Series("@timestamp", [None], dtype=EVENT_SCHEMA["@timestamp"])
            return missing.new_from_index(0, parts.height), pl.lit(TIME_MISSING).alias("vedette.marks")
        stamps = parts["time"]
        time = read_stamps(
            stamps, self.definition.stamps, timezone=context.timezone, reference_time=context.reference_time
        ).alias("@timestamp")
        if not time.null_count():
            return time, pl.lit(None, dtype=pl.String).alias("vedette.marks")
        mark = pl.when(stamps.is_null()).then(pl.lit(TIME_MISSING)).when(time.is_null()).then(pl.lit(TIME_WRONG))
        return time, mark.alias("vedette.marks")


def _unparsed(lines: pl.Series) -> pl.DataFrame:
    """Lines that are not the format's."""
    return lines.to_frame("message").with_columns(
        pl.lit(None, dtype=EVENT_SCHEMA["@timestamp"]).alias("@timestamp"),
        pl.lit(TIME_MISSING).alias("vedette.marks"),
        pl.lit("unparsed").alias("parse.status"),
    )


def _with_defaults(columns: pl.DataFrame, definition: FormatFile) -> pl.DataFrame:
    return columns.with_columns(
        (
            pl.col(name).fill_null(pl.lit(value, dtype=EVENT_SCHEMA[name]))
            if name in columns.columns
            else pl.lit(value, dtype=EVENT_SCHEMA[name]).alias(name)
        )
        for name, value in definition.defaults.items()
    )
