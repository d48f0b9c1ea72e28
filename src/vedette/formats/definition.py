"""What a format file says, checked.

Two kinds of file share one schema. A *line format* knows how a whole record is written; a *message format* has
`programs` and knows what these programs say inside a record of any line format.

Captures are named after the event columns they fill: `(?P<user.name>\\S+)`. A second capture for the same column is
`user.name[2]`; the first that matched counts. Beside the columns there are `time` (the stamp), `source.address` and
`destination.address` (also fill the `.ip` where they are one), `log.level` (mapped by `levels`), `fields.<name>` for
everything without a column, `event.code` (what the program numbers its events by; for `cases` alone), and, for the
codec `keyvalue`, `pairs` (the text that holds the pairs). `%{stamp}` and its like stand for the fragments below.

`keys` says which keys of a record fill which column, the first present one counts; `date+time` are two keys whose
texts, with a blank between them, are one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

import polars as pl
import yaml
from polars.exceptions import PolarsError
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from vedette.formats.timestamps import ANY_STAMP, LAYOUTS, STAMP_FRAGMENTS
from vedette.model.errors import FormatError
from vedette.model.events import CATEGORIES, EVENT_SCHEMA, LEVELS, OUTCOMES
from vedette.model.severity import HIGHEST, LOWEST

FRAGMENTS: Final = MappingProxyType(
    {
        **STAMP_FRAGMENTS,
        "levels": r"(?i-u:trace|debug|fine|finer|finest|verbose|info|information|notice|warn|warning|error|err|severe"
        r"|crit|critical|fatal|panic|alert|emerg|emergency)",
        "ip": r"(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*[0-9A-Fa-f](?:%\w+)?|::)",
        "peer": r"(?:\[(?P<source.address>[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]+(?:%\w+)?)\]"
        r"|(?P<source.address[2]>(?:::ffff:)?\d{1,3}(?:\.\d{1,3}){3}|(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}"
        r"|[0-9A-Fa-f]*:[0-9A-Fa-f:]*?[0-9A-Fa-f]{1,4}|[\w.-]+))(?::(?P<source.port>\d{4,5}|\d{1,3}\b))?",
    }
)
"""What `%{name}` stands for in a pattern; `%{stamp}` is any of the dates, `%{peer}` captures an address and its port."""

_SAFE_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""What yaml.safe_load uses; in C, where libyaml is there, it takes a tenth of the time."""

SPECIAL_CAPTURES: Final = frozenset({"time", "destination.address", "pairs", "event.code"})
FIELD_PREFIX: Final = "fields."
SETTABLE: Final = frozenset(EVENT_SCHEMA) - {
    "@timestamp", "event.ingested", "event.original", "vedette.source", "vedette.generation", "log.offset",
    "log.length", "log.file.path", "log.format", "parse.status", "vedette.marks", "fields",
}  # fmt: skip
"""Columns a format may fill by name."""

_CODECS_THAT_NEED_A_SHAPE: Final = ("keyvalue", "auditd", "csv", "w3c")

_ALLOWED: Final[Mapping[str, tuple[str, ...]]] = {
    "event.category": CATEGORIES,
    "event.outcome": OUTCOMES,
    "log.level": LEVELS,
}


def column_of(capture: str) -> str:
    """`user.name[2]` fills `user.name`."""
    return capture.partition("[")[0]


def captures_of(pattern: str) -> list[str]:
    """Names of the captures of a compiled pattern; those without a name stand as numbers."""
    dtype = pl.Series([""]).str.extract_groups(pattern).dtype
    return [field.name for field in dtype.fields] if isinstance(dtype, pl.Struct) else []


def _expand(pattern: str) -> str:
    for name, text in (("stamp", ANY_STAMP), *FRAGMENTS.items()):
        pattern = pattern.replace(f"%{{{name}}}", f"(?:{text})")
    unknown = re.search(r"%\{(\w+)\}", pattern)
    if unknown:
        raise ValueError(f"{unknown[0]} is no fragment; known are {', '.join(('stamp', *FRAGMENTS))}")
    return pattern


def _compiled(pattern: str, info: ValidationInfo) -> str:
    """The pattern with its fragments put in, so that a dot also matches a line break."""
    pattern = _light("(?s)" + _expand(pattern.strip()))
    if info.context == _SHIPPED:
        return pattern
    try:
        captures = captures_of(pattern)
    except PolarsError as error:
        reason = str(error).strip().splitlines()[-1]
        remedy = "Vedette's expressions have no look-around and no back-references, so that they always end quickly"
        raise ValueError(f"the regular expression does not compile ({reason}); {remedy}") from None
    for capture in captures:
        _known_capture(capture)
    return pattern


_SHIPPED: Final = "shipped"

_TOKEN: Final = re.compile(r"\\.|\[\^?\]?|\]", re.DOTALL)
_LIGHT: Final = {r"\d": "0-9", r"\w": r"0-9A-Z_a-z\x{80}-\x{10FFFF}"}


def _light(pattern: str) -> str:
    """The same with classes that compile in a third of the time, for there are more patterns than the engine keeps.

    Digits are ASCII, a word's letters ASCII or any character beyond, and its bounds those of ASCII words.
    """
    is_class = False
    parts: list[str] = []
    end = 0
    for token in _TOKEN.finditer(pattern):
        text = token[0]
        parts.append(pattern[end : token.start()])
        end = token.end()
        if text in _LIGHT:
            text = _LIGHT[text] if is_class else f"[{_LIGHT[text]}]"
        elif text == r"\b" and not is_class:
            text = r"(?-u:\b)"
        elif text == "]":
            is_class = False
        elif text[0] == "[" and not is_class:
            is_class = True
        parts.append(text)
    return "".join(parts) + pattern[end:]


def _known_capture(capture: str) -> None:
    column = column_of(capture)
    if column.isdigit():
        raise ValueError("an unnamed capture fills nothing; write (?:…) or name it after a column")
    if column in SETTABLE or column in SPECIAL_CAPTURES:
        return
    if column.startswith(FIELD_PREFIX) and len(column) > len(FIELD_PREFIX):
        return
    raise ValueError(f"'{column}' is no event column; name it fields.{column} to keep it in `fields`")


def _known_columns(values: dict[str, Any]) -> dict[str, Any]:
    for column, value in values.items():
        if column not in SETTABLE:
            raise ValueError(f"'{column}' is no event column a format may set")
        if column in _ALLOWED and value not in _ALLOWED[column]:
            raise ValueError(f"{column}: {value!r} is none of {', '.join(_ALLOWED[column])}")
        if column == "event.severity" and not (isinstance(value, int) and LOWEST <= value <= HIGHEST):
            raise ValueError(f"event.severity: {value!r} is not a whole number from {LOWEST} to {HIGHEST}")
    return values


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _known_layouts(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name not in LAYOUTS:
            raise ValueError(f"'{name}' is no stamp layout; known are {', '.join(LAYOUTS)}")
    return names


def _known_levels(levels: dict[str, str]) -> dict[str, str]:
    for written, level in levels.items():
        if level not in LEVELS:
            raise ValueError(f"{written}: '{level}' is none of {', '.join(LEVELS)}")
    return {written.lower(): level for written, level in levels.items()}


Pattern = Annotated[str, AfterValidator(_compiled)]
Constants = Annotated[dict[str, Any], AfterValidator(_known_columns)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_as_list)]
Layouts = Annotated[tuple[str, ...], BeforeValidator(_as_list), AfterValidator(_known_layouts)]
Levels = Annotated[dict[str, str], AfterValidator(_known_levels)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MessagePattern(_Strict):
    """One family of messages. `starts` (any of) and `contains` (a text; or any of several, in any case) select candidates
    cheaply before `pattern` runs; a message that starts so and has no `pattern` fits as it is. `set` holds columns it
    fills with constants."""

    name: str
    starts: Texts = ()
    contains: str | tuple[str, ...] | None = None
    pattern: Pattern | None = None
    set: Constants = Field(default_factory=dict)

    @model_validator(mode="after")
    def _has_a_test(self) -> MessagePattern:
        if not (self.starts or self.contains or self.pattern):
            raise ValueError("says nothing about the text; add `starts`, `contains` or `pattern`")
        return self


def _known_case_column(column: str) -> str:
    if column not in SETTABLE and column != "event.code" and not column.startswith(FIELD_PREFIX):
        raise ValueError(f"'{column}' is no event column a case may look at")
    return column


class Condition(_Strict):
    """A column has one of these values, lies between two (inclusive), or matches; a column alone: it holds something.

    `fields.<name>` is a field that the format captured.
    """

    column: Annotated[str, AfterValidator(_known_case_column)]
    values: tuple[int | str, ...] = ()
    between: tuple[int, int] | None = None
    matches: Pattern | None = None


class Case(Condition):
    """Constants that hold where the condition does, and all of `also`."""

    also: tuple[Condition, ...] = ()
    set: Constants


class Sample(_Strict):
    """A line (of a line format) or a message of `program`, and the columns it yields; None: it must not fit.

    `header` is the line that named the columns, for codecs that have one.
    """

    line: str
    program: str | None = None
    header: str | None = None
    columns: dict[str, Any] | None = None


class FormatFile(_Strict):
    """One file. `rank` says how specific it is: of two formats that explain a line, the higher one counts.

    `inner` says what a record's message may be again: nothing, a `structured` record (JSON, CEF, key=value …), or `any`
    record, as container runtimes wrap them. A line that fits one of `continues` belongs to the record before it.
    `peer: process` says that the programs have a process for each connection: what names no peer speaks of the last one.
    `columns` names the values of a line by their place: always (`csv`), or where no header did (`w3c`).
    `trim` takes the blanks around captures away, as columns of a fixed width have them.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
    title: str
    codec: Literal[
        "pattern", "syslog", "syslog-rfc5424", "json", "logfmt", "plain", "keyvalue", "auditd", "csv", "w3c", "cef", "leef",
        "windows",
    ] = "pattern"  # fmt: skip
    rank: Annotated[int, Field(ge=0, le=100)] = 50
    looks_like: Pattern | None = None
    inner: Literal["none", "structured", "any"] = "none"
    continues: Annotated[tuple[Pattern, ...], BeforeValidator(_as_list)] = ()
    patterns: Annotated[tuple[Pattern, ...], BeforeValidator(_as_list)] = ()
    stamps: Layouts = ()
    levels: Levels = Field(default_factory=dict)
    keys: dict[str, Texts] = Field(default_factory=dict)
    columns: tuple[str, ...] = ()
    trim: bool = False
    absent: tuple[str, ...] = ("", "-")
    defaults: Constants = Field(default_factory=dict)
    cases: tuple[Case, ...] = ()
    programs: Texts = ()
    peer: Literal["line", "process"] = "line"
    messages: tuple[MessagePattern, ...] = ()
    samples: tuple[Sample, ...] = ()

    @property
    def is_message_format(self) -> bool:
        return bool(self.programs)

    @model_validator(mode="after")
    def _is_complete(self) -> FormatFile:
        if self.is_message_format and not self.messages:
            raise ValueError("a message format needs `messages`")
        if self.messages and not self.programs:
            raise ValueError("`messages` need `programs`, the names of those who write them")
        if not self.is_message_format and self.codec == "pattern" and not self.patterns:
            raise ValueError("a line format needs `patterns`, or a `codec`")
        if self.codec == "csv" and not self.columns:
            raise ValueError("the codec csv needs `columns`, the names of the values in their order")
        if self.codec in _CODECS_THAT_NEED_A_SHAPE and self.looks_like is None:
            raise ValueError(f"the codec {self.codec} needs `looks_like`, which says what lines are this format's")
        for column in self.keys:
            _known_capture(column)
        return self


def read_format(text: str, file: str, *, is_shipped: bool = False) -> FormatFile:
    """The format in the text of a YAML file. Raises FormatError that names file, key and remedy.

    `is_shipped`: our tests have compiled its expressions, which is not done again before they are used.
    """
    try:
        content = yaml.load(text, Loader=_SAFE_LOADER)  # noqa: S506 - both loaders are the safe one
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise FormatError(f"{file}: is not YAML ({reason}); correct it and reload") from None
    if not isinstance(content, dict):
        raise FormatError(f"{file}: holds no format; start it with `name:` and `title:`")
    try:
        return FormatFile.model_validate(content, context=_SHIPPED if is_shipped else None)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the file"
        message = first["msg"].removeprefix("Value error, ")
        raise FormatError(f"{file}: {key}: {message}") from None
