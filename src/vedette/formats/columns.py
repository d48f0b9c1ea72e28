"""From captured text to typed event columns, in columns."""

from __future__ import annotations

import functools
import ipaddress
import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import polars as pl

from vedette.formats.definition import FIELD_PREFIX, Case, column_of
from vedette.model.events import EVENT_SCHEMA

LEVEL_NAMES: Final = MappingProxyType(
    {
        name: level
        for level, names in {
            "emergency": "emerg emergency panic",
            "alert": "alert a",
            "critical": "crit critical fatal f severe dpanic",
            "error": "err error e eror",
            "warning": "warn warning w",
            "notice": "notice n",
            "info": "info information informational i log",
            "debug": "debug d fine config debug1 debug2 debug3",
            "trace": "trace t verbose v finer finest",
        }.items()
        for name in names.split()
    }
)
"""What programs call their levels, in lower case."""

SEVERITY_OF_LEVEL: Final = MappingProxyType(
    {
        "trace": 1, "debug": 1, "info": 1, "notice": 2, "warning": 3, "error": 4, "critical": 5, "alert": 6,
        "emergency": 6,
    }
)  # fmt: skip
"""The severity of an event about which nothing else is known."""

SYSLOG_LEVELS: Final = ("emergency", "alert", "critical", "error", "warning", "notice", "info", "debug")
"""By the severity number of RFC 5424, 0 to 7."""

_OCTET: Final = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_IPV4: Final = rf"^(?:{_OCTET}\.){{3}}{_OCTET}$"


def merge_captures(captures: pl.DataFrame) -> pl.DataFrame:
    """One column a name: where several captures fill the same column, the first that matched counts."""
    groups: dict[str, list[str]] = {}
    for name in captures.columns:
        groups.setdefault(column_of(name), []).append(name)
    if len(groups) == captures.width:
        return captures
    return captures.select(pl.coalesce(names).alias(column) for column, names in groups.items())


def typed_columns(
    captures: pl.DataFrame, *, absent: Sequence[str] = ("", "-"), levels: Mapping[str, str] = LEVEL_NAMES
) -> pl.DataFrame:
    """Text by column name (as in format files; all String) as event columns, without `time`.

    Text that stands for nothing (`absent`) and numbers that are none become null.
    """
    captures = merge_captures(captures)
    columns: list[pl.Expr | pl.Series] = []
    fields: list[str] = []
    for name in captures.columns:
        if name.startswith(FIELD_PREFIX):
            fields.append(name)
        elif name in ("source.address", "destination.address"):
            address = _present(captures[name], absent)
            ip = canonical_ips(address)
            if name == "source.address":
                columns.append(address)
            columns.append(ip.alias(name.replace("address", "ip")))
        elif name in ("source.ip", "destination.ip"):
            columns.append(canonical_ips(_present(captures[name], absent)).alias(name))
        elif name == "log.level":
            columns.append(normal_levels(captures[name], levels))
        elif name == "message":
            columns.append(pl.col(name).str.strip_chars().fill_null(""))
        elif name != "time":
            columns.append(_cast(name, absent))
    if fields:
        columns.append(
            fields_object({name.removeprefix(FIELD_PREFIX): _present(captures[name], absent) for name in fields})
        )
    return captures.select(columns)


def _present(texts: pl.Series, absent: Sequence[str]) -> pl.Series:
    name = texts.name
    return texts.to_frame().select(pl.when(~pl.col(name).is_in(list(absent))).then(pl.col(name)).alias(name))[name]


def _cast(name: str, absent: Sequence[str]) -> pl.Expr:
    dtype = EVENT_SCHEMA[name]
    if dtype == pl.String:
        return pl.when(~pl.col(name).is_in(list(absent))).then(pl.col(name)).alias(name)
    return pl.col(name).cast(dtype, strict=False)


def normal_levels(written: pl.Series, levels: Mapping[str, str] = LEVEL_NAMES) -> pl.Series:
    """The names of model.events.LEVELS; null where a level is unknown."""
    lower = written.str.to_lowercase()
    known = {text: levels.get(text, LEVEL_NAMES.get(text)) for text in lower.unique().drop_nulls()}
    return lower.replace_strict(known, default=None, return_dtype=pl.String) if known else lower


def canonical_ips(addresses: pl.Series) -> pl.Series:
    """The canonical text of IPv4 and IPv6 addresses, null for anything else; IPv4 mapped into IPv6 is IPv4."""
    is_v4 = addresses.str.contains(_IPV4)
    others = addresses.filter(~is_v4 & addresses.str.contains(":", literal=True)).unique()
    # One by one, but only distinct IPv6 candidates.
    canonical = {text: ip for text in others if (ip := _canonical_ipv6(text)) is not None}
    frame = pl.DataFrame({"text": addresses, "is_v4": is_v4})
    other = pl.lit(None, dtype=pl.String)
    if canonical:
        other = pl.col("text").replace_strict(canonical, default=None, return_dtype=pl.String)
    return frame.select(pl.when("is_v4").then("text").otherwise(other).alias(addresses.name)).to_series()


@functools.lru_cache(maxsize=16_384)
def _canonical_ipv6(text: str) -> str | None:
    try:
        address = ipaddress.IPv6Address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None
    return str(address.ipv4_mapped or address)


def fields_object(members: Mapping[str, pl.Series]) -> pl.Series:
    """A JSON object a row of the members that are not null, null where there is none; name `fields`.

    Text becomes a JSON string, other types stand as JSON writes them.
    """
    frame = pl.DataFrame({f"{index}": values for index, values in enumerate(members.values())})
    encoded = [
        pl.concat_str(pl.lit(json.dumps(name, ensure_ascii=False) + ":"), _json_value(f"{index}", values.dtype))
        for index, (name, values) in enumerate(members.items())
    ]
    inner = pl.concat_str(encoded, separator=",", ignore_nulls=True)
    is_empty = pl.all_horizontal(pl.all().is_null())
    whole = pl.when(~is_empty).then(pl.concat_str(pl.lit("{"), inner, pl.lit("}")))
    return frame.select(whole.alias("fields")).to_series()


def _json_value(name: str, dtype: pl.DataType) -> pl.Expr:
    """The JSON text of a column's values, null where the value is."""
    column = pl.col(name)
    if dtype.is_integer():
        return column.cast(pl.String)
    if dtype == pl.Boolean:
        return pl.when(column).then(pl.lit("true")).when(~column).then(pl.lit("false"))
    one = pl.struct(column.alias("v")).struct.json_encode()
    return pl.when(column.is_not_null()).then(one.str.slice(5).str.strip_suffix("}"))


def merged_objects(first: pl.Expr, second: pl.Expr) -> pl.Expr:
    """Two columns of JSON objects as one; members of the first stand first."""
    both = pl.concat_str(first.str.head(-1), pl.lit(","), second.str.slice(1))
    return pl.when(first.is_not_null() & second.is_not_null()).then(both).otherwise(pl.coalesce(first, second))


def apply_cases(columns: pl.DataFrame, cases: Sequence[Case]) -> pl.DataFrame:
    """Fill constants where their case holds; of several cases for a column the first counts."""
    chains: dict[str, list[pl.Expr]] = {}
    for case in cases:
        if case.column not in columns.columns:
            continue
        column = pl.col(case.column)
        holds = column.is_in(list(case.values)) if case.between is None else column.is_between(*case.between)
        for name, value in case.set.items():
            chains.setdefault(name, []).append(pl.when(holds).then(pl.lit(value, dtype=EVENT_SCHEMA[name])))
    return columns.with_columns(
        pl.coalesce(*values, *([name] if name in columns.columns else [])).alias(name)
        for name, values in chains.items()
    )
