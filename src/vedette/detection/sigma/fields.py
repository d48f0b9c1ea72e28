"""Where the fields of rules stand in events, and their values."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from typing import Any, Final

import polars as pl
import yaml

from vedette.detection.sigma.rules import LogSource
from vedette.model.events import EVENT_SCHEMA

URL_PARTS: Final = ("url.path", "url.query", "url.domain", "url.extension")
FLAT_FORMATS: Final = ("windows-event", "auditd", "http-access")
"""Formats whose `fields` is a flat object of texts, written by Vedette."""
WHOLLY_TAKEN_APART: Final = "windows-event"
"""Of them the one whose `fields` holds all there is in the record."""
_URL: Final = re.compile(r"^(?:[A-Za-z][A-Za-z0-9+.-]*:)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?")
_EXTENSION: Final = re.compile(r"\.([A-Za-z0-9]{1,8})$")
_VARIANTS: Final = ("{}", "EventData.{}", "winlog.event_data.{}", "Event.EventData.{}", "winlog.{}")
_MAX_VALUES: Final = 64
_MAX_DEPTH: Final = 12


class FieldMap:
    """Sigma field names to places, as content/sigma/fields.yaml has them."""

    def __init__(self, sections: Sequence[Mapping[str, Any]]) -> None:
        self._sections = [
            (LogSource(**one["logsource"]), {name.lower(): tuple(map(str, at)) for name, at in one["places"].items()})
            for one in sections
        ]
        self._known: dict[tuple[str, LogSource], tuple[str, ...]] = {}

    def places(self, field: str, logsource: LogSource | None = None) -> tuple[str, ...]:
        """Columns, URL parts and keys in the order of looking."""
        source = logsource or LogSource()
        key = field, source
        if key not in self._known:
            if len(self._known) > 100_000:
                self._known.clear()
            self._known[key] = self._found(field, source)
        return self._known[key]

    def _found(self, field: str, logsource: LogSource) -> tuple[str, ...]:
        for about, places in self._sections:
            if _fits(about, logsource) and field.lower() in places:
                return places[field.lower()]
        return (field,)


@functools.cache
def field_map() -> FieldMap:
    """The map that ships."""
    text = (resources.files("vedette") / "content" / "sigma" / "fields.yaml").read_text("utf-8")
    return FieldMap(yaml.load(text, yaml.CSafeLoader))


def _fits(about: LogSource, logsource: LogSource) -> bool:
    pairs = (
        (about.product, logsource.product), (about.category, logsource.category), (about.service, logsource.service)
    )  # fmt: skip
    return all(wanted is None or wanted == is_ for wanted, is_ in pairs)


class Record:
    """One event for the clauses of rules: values by place, looked up once."""

    __slots__ = ("_folded", "_lower", "_values", "event", "members")

    def __init__(self, event: Mapping[str, Any], members: Mapping[str, Any] | None = None) -> None:
        self.event = event
        self.members: Mapping[str, Any] | None = members
        """The object in `fields`, once somebody asked."""
        self._values: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._folded: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._lower: dict[str, str] | None = None

    @classmethod
    def of(cls, values: dict[tuple[str, ...], tuple[str, ...]]) -> Record:
        """A record of which only the values at these places are known."""
        record = cls({}, {})
        record._values = values
        return record

    def values(self, places: tuple[str, ...]) -> tuple[str, ...]:
        """The texts at the first of the places that has any; several where the record holds a list."""
        known = self._values.get(places)
        if known is None:
            known = self._values[places] = next((found for _, found in self.located(places)), ())
        return known

    def folded(self, places: tuple[str, ...]) -> tuple[str, ...]:
        """The same in small letters."""
        known = self._folded.get(places)
        if known is None:
            known = self._folded[places] = tuple(map(str.lower, self.values(places)))
        return known

    def located(self, places: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Every place with a value, and its values."""
        for name in places:
            found = self._column(name)
            if found is not None:
                yield name, (found,)
            members = self._members()
            if members and (texts := self._under(name, members)):
                yield f"fields.{name}", texts

    def texts(self) -> tuple[str, ...]:
        """What keywords are looked for in: the record as read, its message, and the values taken out of it. Of records
        that are wholly taken apart, the values."""
        known = self._values.get(_WHOLE)
        if known is None:
            whole = [] if self._is_taken_apart() else [self.event.get("event.original"), self.event.get("message")]
            texts = [*whole, *_leaves(self._members(), 0)]
            known = self._values[_WHOLE] = tuple(dict.fromkeys(one for one in texts if one))
        return known

    def folded_texts(self) -> tuple[str, ...]:
        known = self._folded.get(_WHOLE)
        if known is None:
            known = self._folded[_WHOLE] = tuple(map(str.lower, self.texts()))
        return known

    def _is_taken_apart(self) -> bool:
        return str(self.event.get("log.format")).rpartition("/")[2] == WHOLLY_TAKEN_APART

    def _column(self, name: str) -> str | None:
        if name in EVENT_SCHEMA:
            value = self.event.get(name)
            return None if value is None else value if isinstance(value, str) else _text_of_column(value)
        if name in URL_PARTS:
            url = self.event.get("url.original")
            return url_part(url, name) if url else None
        return None

    def _members(self) -> Mapping[str, Any]:
        if self.members is None:
            self.members = members_of(self.event.get("fields"))
        return self.members

    def _under(self, name: str, members: Mapping[str, Any]) -> tuple[str, ...]:
        value = members.get(name)
        if value is not None:
            return value if type(value) is tuple else _texts(value)
        for variant in _VARIANTS:
            if texts := _texts_at(variant.format(name), members):
                return texts
        if self._lower is None:
            self._lower = {key.lower(): key for key in sorted(members, reverse=True)}
        key = self._lower.get(name.lower())
        return _texts(members[key]) if key is not None else ()


_WHOLE: Final = ("\0whole",)


def other_names(name: str, keys: Sequence[str]) -> list[str]:
    """Of the sorted keys of flat objects those at which `Record` looks for a field when its own name is missing, in the
    order of looking."""
    lower = name.lower()
    same = [key for key in keys if key != name and key.lower() == lower]
    variants = [variant.format(name) for variant in _VARIANTS[1:] if variant.format(name) in keys]
    return variants + same if "." in name else same + variants


def members_of(fields: object) -> dict[str, Any]:
    """The object in the column `fields`; empty where there is none."""
    if isinstance(fields, dict):
        return fields
    if not isinstance(fields, str) or not fields:
        return {}
    try:
        content = json.loads(fields)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def url_part(url: str, name: str) -> str | None:
    """Path, query, domain or extension of a URL as written."""
    found = _URL.match(url)
    if found is None:
        return None
    domain, path, query = found.groups()
    match name:
        case "url.path":
            return path or None
        case "url.query":
            return query
        case "url.domain":
            return domain.rpartition("@")[2].partition(":")[0] if domain else None
    extension = _EXTENSION.search(path)
    return extension[1] if extension else None


def _texts_at(path: str, members: Mapping[str, Any]) -> tuple[str, ...]:
    """The values at a dotted path, where each step may also be a key with dots or lead through a list."""
    texts: list[str] = []
    _walk(path, members, texts, 0)
    return tuple(texts)


def _walk(path: str, value: Any, texts: list[str], depth: int) -> None:
    if depth > _MAX_DEPTH or len(texts) >= _MAX_VALUES:
        return
    if isinstance(value, list):
        head, _, rest = path.partition(".")
        if head.isdigit():
            if int(head) < len(value):
                _arrive(rest, value[int(head)], texts, depth)
            return
        for one in value[:_MAX_VALUES]:
            _walk(path, one, texts, depth + 1)
        return
    if not isinstance(value, Mapping):
        return
    if path in value:
        texts.extend(_texts(value[path]))
        return
    place = path.find(".")
    while place > 0:
        head = path[:place]
        if head in value:
            _walk(path[place + 1 :], value[head], texts, depth + 1)
            if texts:
                return
        place = path.find(".", place + 1)
    if (key := _same_but_case(path.partition(".")[0], value)) is not None:
        _arrive(path.partition(".")[2], value[key], texts, depth)


def _arrive(rest: str, value: Any, texts: list[str], depth: int) -> None:
    if rest:
        _walk(rest, value, texts, depth + 1)
    else:
        texts.extend(_texts(value))


def _same_but_case(name: str, members: Mapping[str, Any]) -> str | None:
    lower = name.lower()
    return min((key for key in members if key.lower() == lower), default=None)


def _texts(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list):
        return tuple(text for one in value[:_MAX_VALUES] for text in _texts(one))
    text = _text(value)
    return () if text is None else (text,)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, (int, float)):
        return str(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _text_of_column(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _leaves(value: Any, depth: int) -> Iterator[str]:
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, Mapping):
        for one in value.values():
            yield from _leaves(one, depth + 1)
    elif isinstance(value, list):
        for one in value:
            yield from _leaves(one, depth + 1)
    elif (text := _text(value)) is not None:
        yield text


def field_values(events: pl.DataFrame, field: str, *, logsource: LogSource | None = None) -> pl.Series:
    """The text of a rule's field on every event, null where it has none; a list's texts joined by blanks.

    Columns are read at once; only events that have none of them, but `fields`, are looked into, one by one for each
    distinct `fields`.
    """
    places = field_map().places(field, logsource)
    if events.height == 0:
        return pl.Series(f"values.{field}", dtype=pl.String)
    name = f"values.{field}"
    texts: list[pl.Expr] = []
    keys = places
    if places[0] in EVENT_SCHEMA:  # what stands behind a key cannot come before it
        leading = [place for place in places if place in EVENT_SCHEMA]
        texts = [_column_text(place) for place in leading[:1]]
    found = events.select(pl.coalesce(*texts, pl.lit(None, dtype=pl.String)).alias(name)).to_series()
    needed = [place for place in keys if place in EVENT_SCHEMA or place in URL_PARTS]
    used = list(dict.fromkeys(["fields", *("url.original" if place in URL_PARTS else place for place in needed)]))
    missing = events.select(used).with_row_index("__row").filter(found.is_null())
    if missing.height == 0:
        return found
    distinct = missing.select(used).unique(maintain_order=True)
    values = [_joined(Record(row).values(places)) for row in distinct.iter_rows(named=True)]
    looked_up = missing.join(
        distinct.with_columns(pl.Series(name, values, dtype=pl.String)), on=used, how="left", nulls_equal=True
    )
    rows = pl.DataFrame({"__row": pl.int_range(events.height, dtype=pl.UInt32, eager=True)})
    others = rows.join(looked_up.select("__row", name), on="__row", how="left", maintain_order="left")[name]
    return pl.select(pl.coalesce(found, others).alias(name)).to_series()


def _column_text(name: str) -> pl.Expr:
    column = pl.col(name)
    if isinstance(EVENT_SCHEMA[name], pl.Datetime):
        return column.dt.strftime("%Y-%m-%dT%H:%M:%S%.f+00:00")
    return column.cast(pl.String)


def _joined(values: tuple[str, ...]) -> str | None:
    return " ".join(values) if values else None
