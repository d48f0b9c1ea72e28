"""Windows events: as XML (one event a line), as the JSON that parsers of .evtx files print, and flat as shippers do.

The names of System, EventData and UserData are flattened to what rules call them: `EventID`, `Channel`, `Computer`,
`Provider_Name`, `TargetUserName`, `CommandLine` …
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Final

import polars as pl

from vedette.formats.beginnings import Opening, all_of, opening
from vedette.formats.codecs.json import texts_by_key, whole_letters
from vedette.formats.codecs.keyed import Captures, KeyedFormat
from vedette.formats.codecs.pairs import pairs_of_columns
from vedette.formats.contract import ParseContext

_XML: Final = r"^\s*(?:<\?xml[^>]*>\s*)?<Event[\s>](?s:.*)</Event>\s*$"
_OBJECT: Final = r"(?s)^\s*\{.*\}\s*$"
_JSON: Final = (
    r'^\s*\{\s*"Event"\s*:\s*\{|"(?:EventID|event_id)"\s*:\s*(?:"?[0-9]|\{).*"(?:Channel|channel|log_name)"\s*:'
    r'|"(?:Channel|channel|log_name)"\s*:.*"(?:EventID|event_id)"\s*:\s*(?:"?[0-9]|\{)'
)
_ID: Final = r'(?i:"(?:[a-z_]+\.)*(?:event_?)?id"\s*:\s*(?:"?[0-9]|\{))'
_CHANNEL: Final = (
    r'(?i:"(?:[a-z_]+\.)*(?:channel|log_?name)"\s*:\s*"'
    r'(?:(?:security|system|application|setup|forwardedevents|windows powershell)"|microsoft-windows-'
    r'|[^"]*/(?:operational|admin|analytic|debug)"))'
)
_SHIPPED: Final = f"{_ID}.*{_CHANNEL}|{_CHANNEL}.*{_ID}"
"""In the spelling of any shipper, where the channel is one of Windows."""
_ELEMENT: Final = r"(?s)<[A-Za-z][^<>]*>[^<]*"
_NAME: Final = r"^<(?:[A-Za-z0-9_]+:)?([A-Za-z0-9_.-]+)"
_TEXT: Final = r"(?s)^<[^>]*[^/>]>(.*)$"
_MARKUP: Final = (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&"))
_ATTRIBUTES: Final = {
    ("Provider", "Name"): "Provider_Name",
    ("TimeCreated", "SystemTime"): "TimeCreated",
    ("Execution", "ProcessID"): "Execution_ProcessID",
    ("Execution", "ThreadID"): "Execution_ThreadID",
    ("Security", "UserID"): "Security_UserID",
    ("Correlation", "ActivityID"): "ActivityID",
}
"""Attributes of System that say something, and the key they become."""

_GROUP_CHANGES: Final = (
    "4727", "4728", "4729", "4730", "4731", "4732", "4733", "4734", "4735", "4737", "4754", "4755", "4756", "4757",
    "4758", "4764", "4799",
)  # fmt: skip
"""Events of the Security log whose target is a group."""

_WRAPPING: Final = r"(?i)^(?:_source\.)?(?:data\.win\.|win\.|winlog\.|Event\.)?"
"""What stands before System and EventData: the document of a search engine, the shipper, the root of the XML."""
_PREFIX: Final = re.compile(rf"{_WRAPPING}(?:System|Event_?Data|User_?Data\.[^.]+|User_?Data)\.")
_DATA: Final = re.compile(rf"{_WRAPPING}(?:Event_?Data|User_?Data)\.")
_BARE: Final = re.compile(r"^(?:_source\.)?(?:winlog\.(?=[^.]+(?:\.0)?$|process\.pid$))?")
"""Before names that no such part holds."""
_RENAMED: Final = {
    **{
        written.lower(): key
        for (element, name), key in _ATTRIBUTES.items()
        for written in (f"{element}.#attributes.{name}", f"{element}_attributes.{name}", f"{element}.{name}")
    },
    "event_id": "EventID", "eventid.value": "EventID", "channel": "Channel", "log_name": "Channel",
    "logname": "Channel", "computer_name": "Computer", "hostname": "Computer", "machinename": "Computer",
    "provider_name": "Provider_Name", "source_name": "Provider_Name", "sourcename": "Provider_Name",
    "providername": "Provider_Name", "process.pid": "Execution_ProcessID", "executionprocessid": "Execution_ProcessID",
    "record_id": "EventRecordID", "record_number": "EventRecordID", "recordnumber": "EventRecordID",
    "recordid": "EventRecordID", "@timestamp": "TimeCreated", "systemtime": "TimeCreated",
}  # fmt: skip
"""By the name in small letters."""


class WindowsFormat(KeyedFormat):
    """One event a line in any of these layouts."""

    def _opens(self) -> Opening:
        return all_of(super()._opens(), opening(f"(?:{_XML}|{_OBJECT})"))

    def matches(self, lines: pl.Series) -> pl.Series:
        is_xml, is_json = self._contains(_XML), self._contains(_OBJECT) & self._contains(f"{_JSON}|{_SHIPPED}")
        looks = lines.to_frame("line").select(
            line="line", is_xml=is_xml.fill_null(value=False), is_json=is_json.fill_null(value=False)
        )
        if looks["is_json"].any():
            looks = looks.with_columns(whole_letters(looks["line"]))
            looks = looks.with_columns(is_json=pl.when("is_json").then("line").str.json_path_match("$").is_not_null())
        return looks["is_xml"] | looks["is_json"]

    def read_pairs(self, lines: pl.Series, context: ParseContext) -> tuple[pl.DataFrame, Captures]:
        rows = pl.DataFrame({"line": lines}).with_row_index("place")
        is_xml = lines.str.contains(r"^\s*<")
        parts = [
            _renumbered(read(some["line"]), some["place"])
            for read, some in ((_pairs_of_xml, rows.filter(is_xml)), (self._pairs_of_json, rows.filter(~is_xml)))
            if some.height
        ]
        pairs = pl.concat(parts).sort("row", maintain_order=True)
        return pairs, {"user.name": _actors_of_group_changes(pairs, lines.len())}

    def _pairs_of_json(self, lines: pl.Series) -> pl.DataFrame:
        texts = texts_by_key(whole_letters(lines))
        return pairs_of_columns(
            {
                name: pl.DataFrame([texts[key].alias(key) for key in keys]).select(pl.coalesce(pl.all())).to_series()
                for name, keys in sorted(_keys_by_name(texts, self._spellings).items())
            }
        )

    @cached_property
    def _spellings(self) -> dict[str, str]:
        """Names that the format file or the log source go by, by themselves in small letters."""
        asked = [part for names in self.definition.keys.values() for name in names for part in name.split("+")]
        return {name.lower(): name for name in reversed((*_RENAMED.values(), *asked))}


def _actors_of_group_changes(pairs: pl.DataFrame, height: int) -> pl.Series:
    """Who changed a group, where the event tells of one: its target is the group, no user. Null elsewhere."""
    key, text = pl.col("key"), pl.col("text")
    changes = pairs.filter((key == "EventID") & text.is_in(_GROUP_CHANGES)).select("row")
    actors = pairs.filter(key == "SubjectUserName").join(changes, on="row", how="semi").unique("row", keep="first")
    rows = pl.DataFrame({"row": pl.int_range(height, dtype=pl.UInt32, eager=True)})
    return rows.join(actors, on="row", how="left", maintain_order="left")["text"]


def _renumbered(pairs: pl.DataFrame, places: pl.Series) -> pl.DataFrame:
    return pairs.with_columns(row=places.gather(pairs["row"]))


def _pairs_of_xml(lines: pl.Series) -> pl.DataFrame:
    row = pl.int_range(lines.len(), dtype=pl.UInt32, eager=True).alias("row")
    element = pl.col("element")
    elements = (
        pl.DataFrame([row, lines.str.extract_all(_ELEMENT).alias("element")])
        .explode("element")
        .drop_nulls()
        .select("row", "element", name=element.str.extract(_NAME, 1), text=element.str.extract(_TEXT, 1))
    )
    is_data = pl.col("name").is_in(["Data", "ComplexData"])
    key = pl.when(is_data).then(pl.coalesce(_attribute("Name"), "name")).otherwise("name")
    attributes = [
        elements.filter(pl.col("name") == name).select("row", pl.lit(key).alias("key"), _attribute(part).alias("text"))
        for (name, part), key in _ATTRIBUTES.items()
    ]
    pairs = pl.concat([*attributes, elements.select("row", key=key, text="text")]).drop_nulls()
    return pairs.with_columns(text=_plain(pl.col("text"))).filter(pl.col("text") != "")


def _keys_by_name(keys: Iterable[str], spellings: Mapping[str, str]) -> dict[str, list[str]]:
    named: dict[str, list[str]] = {}
    # Not in the order of the rows' schema, so that a row does not depend on its neighbours; what System says counts
    # before what an event's own data calls the same, such as the Channel that was cleared.
    for key in sorted(keys, key=lambda one: (_DATA.search(one) is not None, one)):
        if (name := _flat_name(key, spellings)) is not None:
            named.setdefault(name, []).append(key)
    return named


def _flat_name(key: str, spellings: Mapping[str, str]) -> str | None:
    """None for what says nothing: namespaces, and attributes that nobody asks for."""
    if key == "Id":  # as PowerShell calls it; in other case or place it is the id of something else
        return "EventID"
    flat = _PREFIX.sub("", key) if _PREFIX.match(key) else _BARE.sub("", key)
    plain = flat.removesuffix(".0").removesuffix(".#text")
    name = plain if plain in spellings.values() else spellings.get(plain.lower(), plain)
    if not _DATA.match(key):
        name = _RENAMED.get(flat.lower(), name)
    return None if "#attributes" in name or "_attributes." in name else name


def _attribute(name: str) -> pl.Expr:
    tag = pl.col("element").str.extract(r"(?s)^(<[^>]*>)", 1)
    return pl.coalesce(tag.str.extract(rf'\s{name}="([^"]*)"', 1), tag.str.extract(rf"\s{name}='([^']*)'", 1))


def _plain(text: pl.Expr) -> pl.Expr:
    """Entities as the characters they stand for."""
    plain = text.str.replace_all(r"&#(?:13|x0?[Dd]);", "").str.replace_all(r"&#(?:10|x0?[Aa]);", "\n")
    for entity, character in _MARKUP:
        plain = plain.str.replace_all(entity, character, literal=True)
    return pl.when(text.str.contains("&", literal=True)).then(plain).otherwise(text).str.strip_chars()
