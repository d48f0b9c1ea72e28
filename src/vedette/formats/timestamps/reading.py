"""Stamps to instants, in columns.

Work is done on distinct stamps, because logs write many lines a second. Which layouts fit is asked once for every shape
(all digits alike) and remembered, so that an unknown column costs little however many layouts there are.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import polars as pl

from vedette.formats.expressions import captures
from vedette.formats.timestamps.instants import instants, micros
from vedette.formats.timestamps.layouts import LAYOUTS, ONLY_BY_NAME
from vedette.formats.timestamps.orders import are_rivals, likely_order, rivals_among, usual_order
from vedette.formats.timestamps.places import cut, cut_fraction
from vedette.formats.timestamps.zones import known_zone
from vedette.model.events import TIME

_FRACTION: Final = r"(:[0-9]{2}|^[0-9]{10})[.,]([0-9]{1,9})"
_MANY: Final = 256
_FEW: Final = 8
_LONGEST_BYTES: Final = 80
_MOST_SHAPES: Final = 2_048
"""Months, weekdays, zones and halves of the day make some hundred shapes of a layout; more is no column of stamps."""
_OPENING: Final = " \t[(<\"'*"
_ALL: Final = tuple(name for name in LAYOUTS if name not in ONLY_BY_NAME)


def read_stamps(
    stamps: pl.Series, layouts: Sequence[str] = (), *, timezone: str | None = None, reference_time: datetime
) -> pl.Series:
    """Instants in UTC, one a stamp, same order; null where there is no stamp or no layout fits.

    `layouts` are names of LAYOUTS, tried in order; none means all. A stamp without a year gets the nearest one
    that does not lie more than a day ahead of `reference_time`; one without a zone is read in `timezone` (an IANA
    name or an offset such as +02:00). Where layouts differ only in the order of day, month and year, all stamps of
    the series together decide.
    """
    names = tuple(layouts) or _ALL
    zone = known_zone(timezone)
    if stamps.len() > _MANY and stamps.head(_MANY).n_unique() > _MANY // 2:
        return _read_fine(stamps, names, zone, reference_time)
    return _read_distinct(stamps, names, zone, reference_time).alias(stamps.name)


def _read_fine(stamps: pl.Series, names: tuple[str, ...], zone: str | None, reference: datetime) -> pl.Series:
    """Fractions make every stamp distinct: read them apart, so that few distinct stamps remain."""
    coarse, digits = cut_fraction(stamps) or (stamps.str.replace(_FRACTION, "$1"), stamps.str.extract(_FRACTION, 2))
    parts = pl.DataFrame([_read_distinct(coarse, names, zone, reference).alias("time"), digits.alias("digits")])
    fine = pl.col("time") + pl.duration(microseconds=micros(pl.col("digits")).fill_null(0))
    return parts.select(fine.alias(stamps.name)).to_series()


def _read_distinct(stamps: pl.Series, names: tuple[str, ...], zone: str | None, reference: datetime) -> pl.Series:
    order_matters = are_rivals(names)
    distinct = stamps.unique(maintain_order=order_matters).drop_nulls().rename("stamp")
    if distinct.len() <= _FEW:
        known = _read_few(tuple(distinct if order_matters else distinct.sort()), names, zone, reference)
    else:
        known = _read_each(distinct, names, zone, reference)
    if distinct.len() == 1 and known.height and not stamps.null_count():
        return known["time"].new_from_index(0, stamps.len())
    return stamps.to_frame("stamp").join(known, on="stamp", how="left", maintain_order="left")["time"]


@functools.lru_cache(maxsize=512)
def _read_few(stamps: tuple[str, ...], names: tuple[str, ...], zone: str | None, reference: datetime) -> pl.DataFrame:
    """Remembers: small batches of the same second bring the same stamps."""
    return _read_each(pl.Series("stamp", stamps, dtype=pl.String), names, zone, reference)


def _read_each(stamps: pl.Series, names: tuple[str, ...], zone: str | None, reference: datetime) -> pl.DataFrame:
    """Columns `stamp`, `time` in any order; what no layout reads is left out. A first named layout mostly suffices."""
    parts = [pl.DataFrame(schema={"stamp": pl.String, "time": TIME})]
    if names != _ALL and not are_rivals(names):
        read, stamps = _read_in_turn(stamps, names[:1], zone, reference)
        parts += read
    if not stamps.is_empty():
        parts += _read_by_shape(stamps, names, zone, reference)
    return pl.concat(parts)


def _read_by_shape(
    stamps: pl.Series, names: tuple[str, ...], zone: str | None, reference: datetime
) -> list[pl.DataFrame]:
    """Group the stamps by the layouts that fit them, and read each group with these."""
    frame = stamps.to_frame().with_columns(shape=_shape(pl.col("stamp")))
    counts = frame["shape"].drop_nulls().value_counts()
    shapes = counts.sort("count", "shape", descending=[True, False]).head(_MOST_SHAPES)["shape"]
    fits = {shape: fit for shape in shapes if (fit := _choice_of(shape, names))[1]}
    if not fits:
        return []
    choices = list(dict.fromkeys(fits.values()))
    numbers = {shape: choices.index(fit) for shape, fit in fits.items()}
    choice = frame["shape"].replace_strict(numbers, default=None, return_dtype=pl.UInt32)
    parts: list[pl.DataFrame] = []
    for number, (kind, fitting) in enumerate(choices):
        in_turn: Sequence[str] = fitting
        for rivals in rivals_among(fitting):
            same_kind = [other for other, (its_kind, _) in enumerate(choices) if its_kind == kind]
            contested = stamps.filter(choice.is_in(same_kind))
            usual = [name for name in fitting if name in rivals]
            if names == _ALL:
                usual = usual_order(contested, usual)
            times = {name: _times_as(name, contested, zone, reference) for name in usual}
            likely = iter(likely_order(times, reference))
            in_turn = [next(likely) if name in rivals else name for name in in_turn]
        read, _ = _read_in_turn(stamps.filter(choice == number), in_turn, zone, reference)
        parts += read
    return parts


def _read_in_turn(
    stamps: pl.Series, names: Sequence[str], zone: str | None, reference: datetime
) -> tuple[list[pl.DataFrame], pl.Series]:
    """What these layouts read (columns `stamp`, `time`), and what they left."""
    parts: list[pl.DataFrame] = []
    for name in names:
        times = _times_as(name, stamps, zone, reference)
        is_left = times.is_null()
        if not is_left.any():
            return [*parts, pl.DataFrame([stamps, times])], stamps.clear()
        parts.append(pl.DataFrame([stamps, times]).filter(~is_left))
        stamps = stamps.filter(is_left)
    return parts, stamps


def _times_as(name: str, stamps: pl.Series, zone: str | None, reference: datetime) -> pl.Series:
    """`time` of each stamp read in one layout, null where it does not fit."""
    cuts = cut(name, stamps)
    if cuts is not None:
        return instants(cuts, zone, reference)
    parts = captures(stamps, _whole(name))
    fits = parts["whole"].is_not_null()
    if fits.all():
        return instants(parts, zone, reference)
    if not fits.any():
        return pl.Series("time", [None], dtype=TIME).new_from_index(0, stamps.len())
    rows = pl.int_range(stamps.len(), dtype=pl.UInt32, eager=True).alias("row")
    read = pl.DataFrame([rows.filter(fits), instants(parts.filter(fits), zone, reference)])
    return rows.to_frame().join(read, on="row", how="left", maintain_order="left")["time"]


def _shape(stamp: pl.Expr) -> pl.Expr:
    """The stamp with zeros for digits; null where it is too long to be one."""
    shape = stamp.str.replace_all("[0-9]", "0")
    shape = pl.when(stamp.str.starts_with("@")).then(stamp.str.replace_all("[0-9a-f]", "0")).otherwise(shape)
    return pl.when(stamp.str.len_bytes() <= _LONGEST_BYTES).then(shape)


@functools.lru_cache(maxsize=16_384)
def _choice_of(shape: str, names: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """How the date begins, such as `0/0/Y` (stamps that begin alike are of one kind), and the layouts that fit."""
    kind = re.sub("0+", "0", shape.replace("0000", "Y")).lstrip(_OPENING)[:5]
    return kind, tuple(name for name in names if _compiled(name).search(shape))


@functools.cache
def _compiled(name: str) -> re.Pattern[str]:
    return re.compile(_whole(name))


@functools.cache
def _whole(name: str) -> str:
    return rf"^[{re.escape(_OPENING)}]*{LAYOUTS[name]}(?P<whole>)[\s\])>\"',;:|]*$"
