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

from vedette.formats.codecs.line import LineFormat
from vedette.formats.columns import SEVERITY_OF_LEVEL, merged_objects
from vedette.formats.contract import Fit, ParseContext
from vedette.formats.detect import FormatChoice, choose_format, rank_formats, sample_of
from vedette.formats.library import FormatLibrary
from vedette.formats.templates import TemplateMiner
from vedette.model.entries import ENTRY_SCHEMA, EntryBatch, EntryFlag
from vedette.model.events import EVENT_SCHEMA

log = structlog.get_logger(__name__)

_ROW: Final = "__row"
_BATCH: Final = "__batch"
_FORMAT: Final = "__format"
_MISFITS_THAT_CALL_FOR_A_NEW_CHOICE: Final = 0.5
_LINES_BEFORE_A_NEW_CHOICE: Final = 20
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
class _Group:
    """Batches that are parsed together."""

    format_name: str
    is_wished: bool
    timezone: str | None
    reference: datetime


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
        self._lock = threading.Lock()
        self._changed = False
        self.templates = TemplateMiner()

    def decode(self, batches: Sequence[EntryBatch]) -> pl.DataFrame:
        """One event of EVENT_SCHEMA an entry, in the order of the batches and of the entries in them."""
        if self._library is not self._newest:
            self._change_library(self._newest)
        groups: dict[_Group, list[int]] = {}
        for index, batch in enumerate(batches):
            if batch.frame.height:
                groups.setdefault(self._group_of(batch), []).append(index)
        if not groups:
            return pl.DataFrame(schema=EVENT_SCHEMA)
        decoded = [
            self._decode_group(group, [batches[index] for index in members]) for group, members in groups.items()
        ]
        order = [index for members in groups.values() for index in members]
        return self.templates.assign(_in_order(decoded, order, batches))

    def use(self, library: FormatLibrary) -> None:
        """Read with another library from the next batch on; what `explain` tells changes at once."""
        self._newest = library

    @property
    def library(self) -> FormatLibrary:
        """The newest one."""
        return self._newest

    def choices(self) -> list[FormatChoice]:
        with self._lock:
            return sorted(self._choices.values(), key=lambda choice: (choice.source, choice.path))

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
        """The choices as JSON, None when unchanged since the last call."""
        with self._lock:
            if not self._changed:
                return None
            self._changed = False
            content = {"version": _STATE_VERSION, "choices": [one.to_json() for one in self._choices.values()]}
        return json.dumps(content, separators=(",", ":")).encode()

    def restore(self, state: bytes) -> None:
        """Continue with the choices of a snapshot; an unreadable one, or a format that is gone, is chosen anew."""
        try:
            choices = [FormatChoice.from_json(one) for one in json.loads(state)["choices"]]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("format_choices_unreadable", reason=str(error))
            choices = []
        with self._lock:
            known = (one for one in choices if self._library.line_format(one.format) is not None)
            self._choices = {(one.source, one.path): one for one in known}
            self._recent.clear()
            self._changed = False

    def _group_of(self, batch: EntryBatch) -> _Group:
        choice = self._wished(batch) or self._choices.get(_file_of(batch))
        if choice is None:
            lines = batch.frame["text"].to_list() if batch.frame.height <= 200 else _spread(batch.frame["text"])
            choice = self._choose(batch, lines)
        minute = batch.reference_time.replace(second=0, microsecond=0)
        return _Group(choice.format, batch.format_name == choice.format, batch.timezone, minute)

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
            self._changed = True
        self._recent.pop(file, None)
        log.info("format_chosen", **choice.to_json())
        return choice

    def _decode_group(self, group: _Group, batches: Sequence[EntryBatch]) -> pl.DataFrame:
        """Events of batches that share format, zone and reference time, in their order."""
        entries = _joined(batches)
        context = ParseContext(group.reference, group.timezone)
        parsed = self._parse(entries["text"], self._formats_to_try(group), context)
        self._watch(batches, parsed, self._library.line_format(group.format_name) or self._library.plain)
        parsed = _with_messages(parsed, self._library)
        self._hand_over(batches, entries["text"], parsed["log.format"])
        return _events(entries, parsed, batches)

    def _hand_over(self, batches: Sequence[EntryBatch], lines: pl.Series, formats: pl.Series) -> None:
        """Tell `unread` the lines that nobody, or nobody in particular, explains; not where the format was wished."""
        if self._unread is None or not (unread := formats.is_in(self._library.catch_alls)).any():
            return
        start = 0
        for batch in batches:
            height = batch.frame.height
            some = lines.slice(start, height).filter(unread.slice(start, height))
            if some.len() and batch.format_name is None:
                self._unread(*_file_of(batch), some)
            start += height

    def _change_library(self, library: FormatLibrary) -> None:
        """Forget the choices that the new library may better: of formats that are gone, changed or say little."""
        before, self._library = self._library, library
        with self._lock:
            for file, choice in list(self._choices.items()):
                one, was = library.line_format(choice.format), before.line_format(choice.format)
                is_same = one is not None and was is not None and one.definition == was.definition
                if not is_same or choice.format in library.catch_alls:
                    del self._choices[file]
                    self._recent.pop(file, None)
                    self._changed = True

    def _formats_to_try(self, group: _Group) -> Sequence[LineFormat]:
        """The chosen format first, then the others; none where plain is wished, all where it was all we found."""
        chosen = self._library.line_format(group.format_name)
        if chosen is None or chosen is self._library.plain:
            return () if group.is_wished else self._library.line_formats
        return (chosen, *self._library.line_formats)

    def _parse(self, lines: pl.Series, formats: Sequence[LineFormat], context: ParseContext) -> pl.DataFrame:
        """Columns of the line formats; each line by the first format that explains it."""
        parts: list[pl.DataFrame] = []
        left = pl.DataFrame({"line": lines, _ROW: pl.int_range(lines.len(), dtype=pl.UInt32, eager=True)})
        for one in dict.fromkeys(formats):
            if left.is_empty():
                break
            fits = one.matches(left["line"])
            if fits.all():
                parts.append(_parse_part(one, left, context))
                left = left.clear()
            elif fits.any():
                parts.append(_parse_part(one, left.filter(fits), context))
                left = left.filter(~fits)
        if not left.is_empty():
            parts.append(_parse_part(self._library.plain, left, context))
        if len(parts) == 1:
            return parts[0].drop(_ROW)
        return pl.concat(parts, how="diagonal").sort(_ROW).drop(_ROW)

    def _watch(self, batches: Sequence[EntryBatch], parsed: pl.DataFrame, chosen: LineFormat) -> None:
        """Choose again for sources that are no longer written as they were."""
        if (parsed[_FORMAT].len() and parsed[_FORMAT].n_unique() == 1) and parsed[_FORMAT][0] == chosen.name:
            for batch in batches:
                self._recent.pop(_file_of(batch), None)
            return
        ends = itertools.accumulate(batch.frame.height for batch in batches)
        for batch, end in zip(batches, ends, strict=True):
            if batch.format_name == chosen.name:
                continue
            names = parsed[_FORMAT].slice(end - batch.frame.height, batch.frame.height)
            recent = self._recent.setdefault(_file_of(batch), Counter())
            recent.update(dict(names.value_counts().iter_rows()))
            self._reconsider(batch, recent, chosen)

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


def _parse_part(one: LineFormat, left: pl.DataFrame, context: ParseContext) -> pl.DataFrame:
    return one.parse_matching(left["line"], context).with_columns(left[_ROW], pl.lit(one.name).alias(_FORMAT))


def _with_messages(parsed: pl.DataFrame, library: FormatLibrary) -> pl.DataFrame:
    """Add what the programs' messages tell; it counts before what the line format told."""
    has_programs = "process.name" in parsed.columns
    programs = parsed["process.name"] if has_programs else pl.repeat(None, parsed.height, dtype=pl.String, eager=True)
    told = library.messages.match(programs, parsed["message"])
    if told is None:
        return parsed.with_columns(pl.col(_FORMAT).alias("log.format"))
    told = _without_guesses(told, parsed, library)
    inner = {name: f"__told.{name}" for name in told.columns}
    whole = pl.concat([parsed, told.rename(inner)], how="horizontal")
    columns = [
        pl.coalesce(renamed, name).alias(name) if name in parsed.columns else pl.col(renamed).alias(name)
        for name, renamed in inner.items()
        if name not in ("log.format", "fields")
    ]
    columns.append(pl.concat_str(_FORMAT, "__told.log.format", separator="/", ignore_nulls=True).alias("log.format"))
    if "fields" in inner:
        outer = pl.col("fields") if "fields" in parsed.columns else pl.lit(None, dtype=pl.String)
        columns.append(merged_objects(outer, pl.col("__told.fields")).alias("fields"))
    return whole.with_columns(columns).drop(inner.values())


def _without_guesses(told: pl.DataFrame, parsed: pl.DataFrame, library: FormatLibrary) -> pl.DataFrame:
    """A last resort does not count where the line format itself knows the peer or what was done."""
    known = [name for name in ("source.address", "event.action") if name in parsed.columns]
    is_guess = told["log.format"].is_in(library.last_resorts)
    if not known or not is_guess.any():
        return told
    is_known = parsed.select(pl.any_horizontal(pl.col(known).is_not_null())).to_series()
    return told.with_columns(pl.when(~(is_guess & is_known).fill_null(value=False)).then(pl.all()).name.keep())


def _joined(batches: Sequence[EntryBatch]) -> pl.DataFrame:
    """Entries of all batches, with the number of their batch where there are several."""
    if len(batches) == 1:
        return batches[0].frame
    heights = pl.DataFrame({_BATCH: range(len(batches)), "height": [batch.frame.height for batch in batches]})
    numbers = heights.select(pl.col(_BATCH).repeat_by("height").explode()).to_series()
    return pl.concat([batch.frame for batch in batches]).with_columns(numbers)


def _events(entries: pl.DataFrame, parsed: pl.DataFrame, batches: Sequence[EntryBatch]) -> pl.DataFrame:
    """All columns of EVENT_SCHEMA from the entries, their batches and what was parsed."""
    origin = _origins(entries, batches)
    whole = pl.concat(
        [
            entries.rename({"text": "event.original", "offset": "log.offset", "length": "log.length"}),
            parsed.drop(_FORMAT),
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


def _in_order(decoded: Sequence[pl.DataFrame], order: Sequence[int], batches: Sequence[EntryBatch]) -> pl.DataFrame:
    """The events of all groups, back in the order of the batches."""
    if order == sorted(order):
        return decoded[0] if len(decoded) == 1 else pl.concat(decoded)
    whole = pl.concat(decoded)
    starts = dict(
        zip(order, itertools.accumulate([0, *(batches[index].frame.height for index in order[:-1])]), strict=True)
    )
    return pl.concat([whole.slice(starts[index], batches[index].frame.height) for index in sorted(order)])


def _spread(texts: pl.Series) -> list[str]:
    """Lines for detection out of a large batch: its beginning, and some from all over it."""
    step = max(1, texts.len() // 100)
    return [*texts.head(100).to_list(), *texts.gather_every(step).head(100).to_list()]
