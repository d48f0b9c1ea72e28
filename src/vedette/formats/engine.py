"""Entries to events: choose a format per source, parse all entries of one format at once, add what messages tell."""

from __future__ import annotations

import itertools
import json
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import polars as pl
import structlog

from vedette.formats.clock_watch import watch_clock
from vedette.formats.codecs.line import LineFormat
from vedette.formats.codecs.separated import HEADER
from vedette.formats.colours import without_colours
from vedette.formats.columns import SEVERITY_OF_LEVEL, merged_objects
from vedette.formats.continuation import CONTINUATION, JOINED, join_continuations
from vedette.formats.contract import Fit, ParseContext
from vedette.formats.detect import FormatChoice, choose_format, rank_formats, sample_of
from vedette.formats.library import FormatLibrary
from vedette.formats.peers import PeerMemory
from vedette.formats.reading import FORMAT, INNER, WRAPPER, LineReader
from vedette.formats.remembered import FileMemory, Life
from vedette.formats.templates import TemplateMiner
from vedette.formats.timestamps import ZoneGuess
from vedette.formats.whole_records import read_whole_records
from vedette.model.entries import ENTRY_SCHEMA, EntryBatch, EntryFlag
from vedette.model.events import EVENT_SCHEMA

log = structlog.get_logger(__name__)

_BATCH: Final = "__batch"
_MISFITS_THAT_CALL_FOR_A_NEW_CHOICE: Final = 0.5
_LINES_BEFORE_A_NEW_CHOICE: Final = 20
_MOST_USED: Final = 16
_STATE_VERSION: Final = 1


_File = tuple[str, str]
"""Id of a source, and the path of one of its files: a folder may hold files of many formats."""

Unread = Callable[[str, str, pl.Series], None]
"""Told a source, a path and its lines that no format explains, or only one that explains nearly everything."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """How lines would be read: the choice, every format that explains any of them, and the events."""

    choice: FormatChoice
    fits: Sequence[Fit]
    events: pl.DataFrame


@dataclass(frozen=True, slots=True)
class _Choice:
    """How a batch is read."""

    format_name: str
    is_wished: bool
    timezone: str | None
    reference: datetime

    @property
    def context(self) -> ParseContext:
        return ParseContext(self.reference, self.timezone)


class FormatEngine:
    """Decodes batches and remembers which format each file of a source is written in.

    `decode`, `snapshot` and `restore` belong to one thread; `choices`, `explain` and `use` may be called from any.
    `unread` is called by `decode` and must be quick. `templates` gives the events their `template.id`; its state is
    its own.
    """

    name = "formats"

    def __init__(self, library: FormatLibrary, *, max_choices: int = 4_096, unread: Unread | None = None) -> None:
        self._library = library
        self._newest = library
        self._unread = unread
        self._max_choices = max_choices
        self._choices: dict[_File, FormatChoice] = {}
        self._recent: dict[_File, Counter[str]] = {}
        self._used: dict[_File, tuple[str, ...]] = {}  # in the last batch, of files that use several
        self._memory = FileMemory(max_choices)
        self._zones = ZoneGuess(max_files=max_choices)
        self._reader = LineReader(library)
        self._peers = PeerMemory(library.definitions.values())
        self._lock = threading.Lock()
        self._changed = False
        self.templates = TemplateMiner()

    def decode(self, batches: Sequence[EntryBatch]) -> pl.DataFrame:
        """One event of EVENT_SCHEMA an entry, in the order of the batches and of the entries in them.

        Lines that continue a record are joined to it; their number is that of the line breaks in `event.original` of
        the events marked `joined`.
        """
        if self._library is not self._newest:
            self._change_library(self._newest)
        choices = {index: self._choice_of(batch) for index, batch in enumerate(batches) if batch.frame.height}
        if not choices:
            return pl.DataFrame(schema=EVENT_SCHEMA)
        groups: dict[ParseContext, list[int]] = {}
        for index in sorted(choices, key=lambda index: (choices[index].format_name, choices[index].is_wished)):
            groups.setdefault(choices[index].context, []).append(index)
        decoded = [
            self._decode_group(context, [(batches[index], choices[index]) for index in members])
            for context, members in groups.items()
        ]
        return self.templates.assign(self._peers.fill(_in_order(decoded, list(groups.values()))))

    def use(self, library: FormatLibrary) -> None:
        """Read with another library from the next batch on; what `explain` tells changes at once."""
        self._newest = library

    @property
    def library(self) -> FormatLibrary:
        """The newest one."""
        return self._newest

    def choices(self) -> list[FormatChoice]:
        """By source and path; the reason tells the zone, too, where it was guessed."""
        with self._lock:
            choices = sorted(self._choices.values(), key=lambda choice: (choice.source, choice.path))
        zones = [self._zones.zone_of((choice.source, choice.path)) for choice in choices]
        return [
            choice if zone is None else replace(choice, reason=f"{choice.reason}; {zone.reason}")
            for choice, zone in zip(choices, zones, strict=True)
        ]

    def explain(self, lines: Sequence[str], *, reference_time: datetime, timezone: str | None = None) -> Explanation:
        """How these lines would be read as a source of their own. Nothing is remembered."""
        library = self._newest
        sample = sample_of(lines)
        frame = pl.DataFrame(
            {
                "offset": range(len(lines)),
                "length": [len(line) + 1 for line in lines],
                "text": lines,
                "flags": 0,
                "hash": None,
            },
            schema=ENTRY_SCHEMA,
        )
        batch = EntryBatch("explain", 0, "", frame, None, 0, reference_time, reference_time, timezone=timezone)
        choice = choose_format(library, sample, source=batch.source_id, path="", now=reference_time)
        wished = None if choice.format == library.plain.name else choice.format
        events = FormatEngine(library).decode([replace(batch, format_name=wished)])
        return Explanation(choice, rank_formats(library, sample), events)

    def snapshot(self) -> bytes | None:
        """The choices and what is remembered of files as JSON, None when unchanged since the last call."""
        with self._lock:
            if not self._changed and not self._memory.changed:
                return None
            self._changed = self._memory.changed = False
            choices = [one.to_json() for one in self._choices.values()]
            zones = self._zones.to_json()
            content = {"version": _STATE_VERSION, "choices": choices, "zones": zones, **self._memory.to_json()}
        return json.dumps(content, separators=(",", ":")).encode()

    def restore(self, state: bytes) -> None:
        """Continue with the choices of a snapshot; an unreadable one, or a format that is gone, is chosen anew."""
        try:
            content = json.loads(state)
            choices = [FormatChoice.from_json(one) for one in content["choices"]]
            self._memory.restore(content)
            self._zones.restore(content.get("zones", []))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("format_choices_unreadable", reason=str(error))
            choices = []
        with self._lock:
            known = (one for one in choices if self._library.line_format(one.format) is not None)
            self._choices = {(one.source, one.path): one for one in known}
            self._recent.clear()
            self._changed = False

    def _choice_of(self, batch: EntryBatch) -> _Choice:
        choice = self._wished(batch) or self._choices.get(_file_of(batch))
        if choice is None:
            lines = batch.frame["text"].to_list() if batch.frame.height <= 200 else _spread(batch.frame["text"])
            choice = self._choose(batch, lines)
        minute = batch.reference_time.replace(second=0, microsecond=0)
        timezone = batch.timezone or self._zone_of(batch, choice)
        return _Choice(choice.format, batch.format_name == choice.format, timezone, minute)

    def _zone_of(self, batch: EntryBatch, choice: FormatChoice) -> str | None:
        """The zone that was guessed for the file, perhaps just now."""
        one = self._library.line_format(choice.format)
        guessed = None if one is None else watch_clock(self._zones, batch, one)
        if guessed is not None:
            self._changed = True
            log.info("zone_guessed", source=batch.source_id, path=batch.path, reason=guessed.reason)
        zone = self._zones.zone_of(_file_of(batch))
        return None if zone is None else zone.offset

    def _wished(self, batch: EntryBatch) -> FormatChoice | None:
        name = batch.format_name
        if name is None:
            return None
        known = self._choices.get(_file_of(batch))
        if known is not None and known.format == name:
            return known
        if self._library.line_format(name) is None:
            if known is None:
                log.warning("format_unknown", source=batch.source_id, format=name, remedy="the format is detected")
            return None
        reason = "set by configuration"
        return self._remember(FormatChoice(*_file_of(batch), name, 1.0, reason, batch.read_at))

    def _choose(self, batch: EntryBatch, lines: Sequence[str]) -> FormatChoice:
        source, path = _file_of(batch)
        choice = choose_format(self._library, sample_of(lines), source=source, path=path, now=batch.read_at)
        return self._remember(choice)

    def _remember(self, choice: FormatChoice) -> FormatChoice:
        """Keep the choice; the oldest one is forgotten when there are too many, and made anew when needed."""
        file = (choice.source, choice.path)
        with self._lock:
            self._choices.pop(file, None)
            self._choices[file] = choice
            if len(self._choices) > self._max_choices:
                forgotten = next(iter(self._choices))
                del self._choices[forgotten]
                self._recent.pop(forgotten, None)
                self._used.pop(forgotten, None)
            self._changed = True
        self._recent.pop(file, None)
        log.info("format_chosen", **choice.to_json())
        return choice

    def _decode_group(
        self, context: ParseContext, group: Sequence[tuple[EntryBatch, _Choice]]
    ) -> tuple[pl.DataFrame, pl.Series]:
        """Events of batches that share zone and reference time, in their order, and the batch each is of. Batches of one
        format stand together."""
        batches = [batch for batch, _ in group]
        entries = _together(batches)
        files = list(dict.fromkeys(_life_of(batch) for batch in batches))
        numbers = pl.Series([files.index(_life_of(batch)) for batch in batches], dtype=pl.Int64)[entries[_BATCH]]
        headers = self._headers_of(entries["text"], numbers, files)
        parsed = self._split(without_colours(entries["text"]), group, context, headers)
        parsed = self._reader.complete(parsed, context)
        heads = [self._memory.head_of(file) for file in files]
        records = join_continuations(entries, parsed, numbers, heads, self._library)
        records = read_whole_records(records, self._reader, self._library, context)
        for file, head, is_open in zip(files, records.heads, records.are_open, strict=True):
            self._memory.keep_head(file, head, is_open=is_open)
        self._hand_over(batches, records.entries, records.parsed)
        self._watch(group, records.entries[_BATCH], records.parsed[FORMAT])
        return _events(records.entries, records.parsed, batches), records.entries[_BATCH]

    def _split(
        self,
        lines: pl.Series,
        group: Sequence[tuple[EntryBatch, _Choice]],
        context: ParseContext,
        headers: pl.Series | None,
    ) -> pl.DataFrame:
        """What the line formats tell, those that are read in the same way at once."""
        parts: list[pl.DataFrame] = []
        start = 0
        for choice, members in itertools.groupby(group, key=lambda member: member[1]):
            batches = [batch for batch, _ in members]
            count = sum(batch.frame.height for batch in batches)
            chosen = self._library.line_format(choice.format_name) or self._library.plain
            first = chosen if choice.is_wished or chosen is not self._library.plain else None
            files = dict.fromkeys(map(_file_of, batches))
            recent = [self._library.line_format(name) for file in files for name in self._used.get(file, ())]
            likely = [one for one in dict.fromkeys(recent) if one is not None and one is not self._library.plain]
            some = None if headers is None else headers.slice(start, count)
            parts.append(self._reader.split(lines.slice(start, count), first, context, some, likely))
            start += count
        return parts[0] if len(parts) == 1 else pl.concat(parts, how="diagonal")

    def _headers_of(self, lines: pl.Series, numbers: pl.Series, files: Sequence[Life]) -> pl.Series | None:
        """The line that names the columns of each line; None where no file has one."""
        before = [self._memory.header_of(file) for file in files]
        may_be_header = lines.str.starts_with("#")
        if not any(before) and not may_be_header.any():
            return None
        known = pl.DataFrame({"file": numbers, "before": pl.Series(before, dtype=pl.String)[numbers], "line": lines})
        line = pl.col("line")
        headers = known.with_columns(header=pl.when(line.str.contains(HEADER)).then(line).forward_fill().over("file"))
        last = headers.unique("file", keep="last").select("file", "header")
        for number, header in last.drop_nulls().iter_rows():
            self._memory.keep_header(files[number], header)
        return headers.select(pl.coalesce("header", "before").alias("header")).to_series()

    def _hand_over(self, batches: Sequence[EntryBatch], entries: pl.DataFrame, parsed: pl.DataFrame) -> None:
        """Tell `unread` the lines that nobody, or nobody in particular, explains; not where the format was wished.

        What continues a record is no line of its own.
        """
        if self._unread is None or not (unread := parsed["log.format"].is_in(self._library.catch_alls)).any():
            return
        marks = parsed["vedette.marks"].fill_null("")
        alone = ~marks.str.contains_any([JOINED, CONTINUATION])
        told = entries.select(_BATCH, "text").filter(unread & alone)
        for (number,), lines in told.partition_by(_BATCH, as_dict=True, maintain_order=True).items():
            batch = batches[int(number)]
            if batch.format_name is None:
                self._unread(*_file_of(batch), lines["text"])

    def _change_library(self, library: FormatLibrary) -> None:
        """Forget the choices that the new library may better: of formats that are gone, changed or say little."""
        before, self._library = self._library, library
        self._reader = LineReader(library)
        self._peers = PeerMemory(library.definitions.values())
        with self._lock:
            for file, choice in list(self._choices.items()):
                one, was = library.line_format(choice.format), before.line_format(choice.format)
                is_same = one is not None and was is not None and one.definition == was.definition
                if not is_same or choice.format in library.catch_alls:
                    del self._choices[file]
                    self._recent.pop(file, None)
                    self._changed = True

    def _watch(self, group: Sequence[tuple[EntryBatch, _Choice]], numbers: pl.Series, names: pl.Series) -> None:
        """Choose again for sources that are no longer written as they were."""
        counts: dict[int, Counter[str]] = {}
        read = pl.DataFrame({"number": numbers, "name": names}).group_by("number", "name").len().sort("number", "name")
        for number, name, count in read.iter_rows():
            counts.setdefault(number, Counter())[name] = count
        for number, (batch, choice) in enumerate(group):
            used = counts.get(number, Counter())
            if used.keys() == {choice.format_name}:
                self._recent.pop(_file_of(batch), None)
                self._used.pop(_file_of(batch), None)
                continue
            self._used[_file_of(batch)] = tuple(name for name, _ in used.most_common(_MOST_USED))
            if batch.format_name == choice.format_name or not used:
                continue
            recent = self._recent.setdefault(_file_of(batch), Counter())
            recent.update(used)
            self._reconsider(batch, recent, self._library.line_format(choice.format_name) or self._library.plain)

    def _reconsider(self, batch: EntryBatch, recent: Counter[str], chosen: LineFormat) -> None:
        total = recent.total()
        if total < _LINES_BEFORE_A_NEW_CHOICE:
            return
        best, lines = max(
            ((name, count) for name, count in recent.items() if name != self._library.plain.name),
            key=lambda item: item[1],
            default=(chosen.name, 0),
        )
        if best != chosen.name and 1 - recent[chosen.name] / total > _MISFITS_THAT_CALL_FOR_A_NEW_CHOICE:
            share = lines / total
            reason = f"{lines} of the last {total} lines are {best}, {recent[chosen.name]} are {chosen.name}"
            self._remember(FormatChoice(*_file_of(batch), best, round(share, 4), reason, batch.read_at))
        else:
            self._recent[_file_of(batch)] = Counter()


def _file_of(batch: EntryBatch) -> _File:
    return batch.source_id, batch.path


def _life_of(batch: EntryBatch) -> Life:
    return batch.source_id, batch.path, batch.generation


def _together(batches: Sequence[EntryBatch]) -> pl.DataFrame:
    """Entries of all batches, with the number of their batch."""
    numbered = [batch.frame.with_columns(pl.lit(number).alias(_BATCH)) for number, batch in enumerate(batches)]
    return numbered[0] if len(numbered) == 1 else pl.concat(numbered)


def _events(entries: pl.DataFrame, parsed: pl.DataFrame, batches: Sequence[EntryBatch]) -> pl.DataFrame:
    """All columns of EVENT_SCHEMA from the entries, their batches and what was parsed."""
    origin = _origins(entries, batches)
    whole = pl.concat(
        [
            entries.rename({"text": "event.original", "offset": "log.offset", "length": "log.length"}),
            parsed.drop(FORMAT, INNER, WRAPPER, strict=False),
        ],
        how="horizontal",
    )
    columns: dict[str, pl.Expr] = {
        name: (pl.col(name) if name in whole.columns else pl.lit(None, dtype=dtype))
        for name, dtype in EVENT_SCHEMA.items()
    }
    columns.update(origin)
    columns["@timestamp"] = pl.coalesce("@timestamp", origin["event.ingested"])
    columns["event.severity"] = _severity(whole)
    columns["vedette.marks"] = _marks(entries["flags"])
    if entries["hash"].null_count() < entries.height:
        digest = pl.struct(pl.col("hash").alias("event.hash")).struct.json_encode()
        columns["fields"] = merged_objects(columns["fields"], pl.when(pl.col("hash").is_not_null()).then(digest))
    return whole.select(columns[name].alias(name) for name in EVENT_SCHEMA)


def _origins(entries: pl.DataFrame, batches: Sequence[EntryBatch]) -> dict[str, pl.Expr]:
    """Columns that are the same for all entries of a batch."""
    values: dict[str, list[Any]] = {
        "event.ingested": [batch.read_at for batch in batches],
        "vedette.source": [batch.source_id for batch in batches],
        "vedette.generation": [batch.generation for batch in batches],
        "log.file.path": [batch.path for batch in batches],
    }
    if len(batches) == 1:
        return {name: pl.lit(value[0], dtype=EVENT_SCHEMA[name]) for name, value in values.items()}
    table = pl.DataFrame(values, schema={name: EVENT_SCHEMA[name] for name in values})[entries[_BATCH]]
    return {name: pl.lit(table[name]) for name in values}


def _severity(whole: pl.DataFrame) -> pl.Expr:
    dtype = EVENT_SCHEMA["event.severity"]
    by_level = pl.lit(1, dtype=dtype)
    if "log.level" in whole.columns and whole["log.level"].null_count() < whole.height:
        by_level = pl.col("log.level").replace_strict(dict(SEVERITY_OF_LEVEL), default=1, return_dtype=dtype)
    return pl.coalesce("event.severity", by_level) if "event.severity" in whole.columns else by_level


def _marks(flags: pl.Series) -> pl.Expr:
    marks = pl.col("vedette.marks")
    if not flags.max():
        return marks
    words = [pl.when(pl.col("flags") & flag.value > 0).then(pl.lit(str(flag.name).lower())) for flag in EntryFlag]
    joined = pl.concat_str(*words, marks, separator=" ", ignore_nulls=True)
    return pl.when(joined != "").then(joined)


def _in_order(decoded: Sequence[tuple[pl.DataFrame, pl.Series]], members: Sequence[Sequence[int]]) -> pl.DataFrame:
    """The events of all groups, back in the order of the batches; `members` are the batches of each group."""
    if len(decoded) == 1 and list(members[0]) == sorted(members[0]):
        return decoded[0][0]
    parts = [
        events.with_columns(pl.Series(batches)[numbers].alias(_BATCH))
        for (events, numbers), batches in zip(decoded, members, strict=True)
    ]
    return pl.concat(parts).sort(_BATCH, maintain_order=True).drop(_BATCH)


def _spread(texts: pl.Series) -> list[str]:
    """Lines for detection out of a large batch: its beginning, and some from all over it."""
    step = max(1, texts.len() // 100)
    return [*texts.head(100).to_list(), *texts.gather_every(step).head(100).to_list()]
