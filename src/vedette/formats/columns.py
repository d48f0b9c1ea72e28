"""From captured text to typed event columns, in columns."""

from __future__ import annotations

import functools
import ipaddress
import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import polars as pl

from vedette.formats.definition import FIELD_PREFIX, Case, Condition, column_of
from vedette.formats.expressions import FEW, contains
from vedette.model.events import EVENT_SCHEMA
from vedette.model.severity import HIGHEST, LOWEST

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

_OCTET: Final = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_FEW_ROWS: Final = 2_000
_IPV4: Final = rf"^(?:{_OCTET}\.){{3}}{_OCTET}$"
_WITH_PORT: Final = (
    rf"^(?:(?P<v4>(?:{_OCTET}\.){{3}}{_OCTET})|\[(?P<v6>[0-9A-Fa-f:.]+(?:%[0-9A-Za-z_]+)?)\]):(?P<port>[0-9]{{1,5}})$"
)


def typed_columns(
    captures: pl.DataFrame, *, absent: Sequence[str] = ("", "-"), levels: Mapping[str, str] = LEVEL_NAMES
) -> pl.DataFrame:
    """Text by column name (as in format files; all String) as event columns, without `time`.

    Text that stands for nothing (`absent`) and numbers that are none become null.
    """
    captures = _without_ports(_present(captures, absent))
    columns: list[pl.Expr | pl.Series] = []
    for name in captures.columns:
        if name == "log.level":
            columns.append(normal_level(pl.col(name), levels))
        elif name in ("source.address", "destination.address"):
            if name == "source.address":
                columns.append(pl.col(name))
            columns.append(canonical_ip(captures[name]).alias(name.replace("address", "ip")))
        elif name in ("source.ip", "destination.ip"):
            columns.append(canonical_ip(captures[name]))
        elif name == "event.severity":
            columns.append(pl.col(name).cast(pl.Float64, strict=False).round().clip(LOWEST, HIGHEST).cast(pl.UInt8))
        elif name in EVENT_SCHEMA:
            dtype = EVENT_SCHEMA[name]
            columns.append(pl.col(name) if dtype == pl.String else pl.col(name).cast(dtype, strict=False))
    fields = [name for name in captures.columns if name.startswith(FIELD_PREFIX)]
    if fields:
        columns.append(fields_object({name.removeprefix(FIELD_PREFIX): captures[name] for name in fields}))
    return captures.select(columns)


def _present(captures: pl.DataFrame, absent: Sequence[str]) -> pl.DataFrame:
    """One column a name (of several captures for a column the first that matched counts), null for what is absent."""
    groups: dict[str, list[str]] = {}
    for name in captures.columns:
        groups.setdefault(column_of(name), []).append(name)
    columns: list[pl.Expr] = []
    for column, names in groups.items():
        text = pl.col(names[0]) if len(names) == 1 else pl.coalesce(names)
        if column == "message":
            columns.append(text.str.strip_chars().fill_null("").alias(column))
        elif column != "time":
            is_present = pl.all_horizontal(text != word for word in absent) if len(absent) > 1 else text != absent[0]
            columns.append(pl.when(is_present).then(text).alias(column))
    return captures.select(columns)


def _without_ports(captures: pl.DataFrame) -> pl.DataFrame:
    """Addresses that are written with their port (`192.0.2.1:4711`, `[2001:db8::1]:443`) as address and port."""
    for side in ("source", "destination"):
        address, port = f"{side}.address", f"{side}.port"
        if address not in captures.columns or not contains(captures[address], _WITH_PORT).any():
            continue
        parts = pl.col(address).str.extract_groups(_WITH_PORT).struct
        ports = parts.field("port")
        captures = captures.with_columns(
            pl.coalesce(parts.field("v4"), parts.field("v6"), address).alias(address),
            (pl.coalesce(port, ports) if port in captures.columns else ports).alias(port),
        )
    return captures


def normal_level(written: pl.Expr, levels: Mapping[str, str] = LEVEL_NAMES) -> pl.Expr:
    """The names of model.events.LEVELS; null where a level is unknown."""
    names = {**LEVEL_NAMES, **levels}
    return written.str.to_lowercase().replace_strict(names, default=None, return_dtype=pl.String)


def canonical_ip(addresses: pl.Series) -> pl.Expr:
    """The canonical text of IPv4 and IPv6 addresses, null for anything else; IPv4 mapped into IPv6 is IPv4.

    The expression reads the column of the same name.
    """
    text = pl.col(addresses.name)
    is_v4 = text.str.contains(_IPV4) if addresses.len() > FEW else pl.lit(contains(addresses, _IPV4))
    v4 = pl.when(is_v4).then(text)
    others = addresses.filter(addresses.str.contains(":", literal=True)).unique()
    # One by one, but only distinct IPv6 candidates.
    canonical = {written: ip for written in others if (ip := _canonical_ipv6(written)) is not None}
    if not canonical:
        return v4
    return v4.otherwise(text.replace_strict(canonical, default=None, return_dtype=pl.String))


@functools.lru_cache(maxsize=16_384)
def _canonical_ipv6(text: str) -> str | None:
    try:
        address = ipaddress.IPv6Address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None
    return str(address.ipv4_mapped or address)


def fields_object(members: Mapping[str, pl.Series]) -> pl.Series:
    """A JSON object a row of the texts that are not null, null where there is none; name `fields`.

    Members stand in alphabetical order, so that a row does not depend on its neighbours.
    """
    frame = pl.DataFrame({name: members[name] for name in sorted(members)})
    encode = _encoded_at_once if frame.height <= _FEW_ROWS else _encoded_by_member
    is_empty = pl.all_horizontal(pl.all().is_null())
    return frame.select(pl.when(~is_empty).then(encode(frame.columns)).alias("fields")).to_series()


def _encoded_at_once(names: Sequence[str]) -> pl.Expr:
    """Few expressions: encode with the nulls, then take them out. A key never stands inside a value unescaped."""
    keys = "|".join(escaped(json.dumps(name, ensure_ascii=False)) for name in names)
    whole = pl.struct(names).struct.json_encode()
    return whole.str.replace_all(f"(?:{keys}):null,?", "").str.replace(r",\}$", "}")


def _encoded_by_member(names: Sequence[str]) -> pl.Expr:
    """Little work a row: encode only what is there."""
    members = [
        pl.when(pl.col(name).is_not_null()).then(
            pl.lit(json.dumps(name, ensure_ascii=False) + ":")
            + pl.struct(pl.col(name).alias("v")).struct.json_encode().str.slice(5).str.strip_suffix("}")
        )
        for name in names
    ]
    return pl.concat_str(pl.lit("{"), pl.concat_str(members, separator=",", ignore_nulls=True), pl.lit("}"))


def escaped(literal: str) -> str:
    """A regular expression for this very text."""
    return "".join(letter if letter.isascii() and letter.isalnum() else f"\\x{{{ord(letter):x}}}" for letter in literal)


def merged_objects(first: pl.Expr, second: pl.Expr) -> pl.Expr:
    """Two columns of JSON objects as one; members of the first stand first."""
    both = pl.concat_str(first.str.head(-1), pl.lit(","), second.str.slice(1))
    return pl.when(first.is_not_null() & second.is_not_null()).then(both).otherwise(pl.coalesce(first, second))


def apply_cases(columns: pl.DataFrame, cases: Sequence[Case]) -> pl.DataFrame:
    """Fill constants where their case holds; of several cases for a column the first counts."""
    chains: dict[str, list[tuple[str, object]]] = {}
    tests: dict[str, pl.Expr] = {}
    for number, case in enumerate(cases):
        conditions = [_holds(one, columns) for one in (case, *case.also)]
        if any(one is None for one in conditions):
            continue
        tests[f"__case.{number}"] = pl.all_horizontal(one for one in conditions if one is not None)
        for name, value in case.set.items():
            chains.setdefault(name, []).append((f"__case.{number}", value))
    if not tests:
        return columns
    held = columns.select(test.alias(name) for name, test in tests.items())
    held = held.select(name for name in held.columns if held[name].any())
    filled = pl.concat([columns, held], how="horizontal")
    for name, values in chains.items():
        present = [(case, value) for case, value in values if case in held.columns]
        if not present:
            continue
        otherwise = pl.col(name) if name in columns.columns else pl.lit(None, dtype=EVENT_SCHEMA[name])
        for test, value in reversed(present):
            otherwise = pl.when(test).then(pl.lit(value, dtype=EVENT_SCHEMA[name])).otherwise(otherwise)
        filled = filled.with_columns(otherwise.alias(f"__set.{name}"))
    return filled.select(
        *(
            pl.col(f"__set.{name}" if f"__set.{name}" in filled.columns else name).alias(name)
            for name in columns.columns
        ),
        *(
            pl.col(f"__set.{name}").alias(name)
            for name in chains
            if name not in columns.columns and f"__set.{name}" in filled.columns
        ),
    )


def _holds(condition: Condition, columns: pl.DataFrame) -> pl.Expr | None:
    """Where it holds; None where nothing of these rows can."""
    is_field = condition.column.startswith(FIELD_PREFIX)
    if ("fields" if is_field else condition.column) not in columns.columns:
        return None
    column = pl.col(condition.column)
    if is_field:
        column = _field(condition.column)
    if condition.values:
        return column.is_in(list(condition.values))
    if condition.between is not None:
        return column.is_between(*condition.between)
    if condition.matches is None:
        return column.is_not_null()
    if columns.height > FEW or not columns.height:
        return column.str.contains(condition.matches)
    texts = columns.select(column).to_series()
    return pl.lit(contains(texts, condition.matches))


@functools.lru_cache(maxsize=1_024)
def _field(name: str) -> pl.Expr:
    key = escaped(json.dumps(name.removeprefix(FIELD_PREFIX), ensure_ascii=False))
    return pl.col("fields").str.extract(rf'{key}:"((?:[^"\\]|\\.)*)"', 1)
