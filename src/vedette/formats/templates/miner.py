"""Gives every event the template of its message, and keeps the templates over restarts.

A column of messages is masked in one pass; the distinct skeletons that are left are few, and their templates are
remembered, so that Python looks at a skeleton once and not at lines.

The id of a template is a hash of its text. When templates turn out to be one, later events carry the id of the new
text; the ids before it stay known (`aliases`), so that a search finds the events of both.

The state is kept under several keys (`templates/00` …), each with a share of the templates, so that a commit writes
the shares that changed and no more. A new or merged template is written with the commit that brings it. The counts
and times of known ones are written now and then: they may lag by a minute after a kill, and are never needed to find
a template.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl
import structlog

from vedette.formats.templates.catalog import Known, TemplateCatalog, template_id
from vedette.formats.templates.masks import skeletons, tidy

log = structlog.get_logger(__name__)

_STATE_VERSION: Final = 1
_SHARES: Final = 64
_COUNTS_MAY_LAG: Final = timedelta(minutes=1)
_LINES_PER_TEMPLATE_WRITTEN: Final = 32
"""Counts of a share are written again after this many lines for each of its templates: the cost stays in proportion."""


@dataclass(frozen=True, slots=True)
class Template:
    """`text` is what its messages share, with `<*>` for values. `format` is the log format it was first met in.

    `first_seen` and `last_seen` are times of events.
    """

    id: str
    text: str
    count: int
    first_seen: datetime | None
    last_seen: datetime | None
    format: str | None


@dataclass(slots=True)
class _Share:
    """Templates that are written together, and what happened since they were."""

    templates: dict[str, Known] = field(default_factory=dict)
    lines: int = 0
    written_at: datetime | None = None
    is_changed: bool = False

    def keep(self, known: Known) -> None:
        """Take note that a template came, went or was taken up."""
        self.is_changed = True
        if known.is_forgotten:
            self.templates.pop(known.id, None)
        else:
            self.templates[known.id] = known

    def is_due(self, now: datetime | None) -> bool:
        if self.is_changed or not self.lines:
            return self.is_changed
        if self.lines >= _LINES_PER_TEMPLATE_WRITTEN * len(self.templates):
            return True
        return now is not None and (self.written_at is None or now - self.written_at > _COUNTS_MAY_LAG)

    def write(self, now: datetime | None) -> bytes:
        self.lines, self.written_at, self.is_changed = 0, now, False
        rows = [
            [one.text, one.count, one.first, one.last, one.format, one.into.id if one.into else None, one.patterns]
            for one in self.templates.values()
        ]
        return json.dumps({"version": _STATE_VERSION, "templates": rows}, separators=(",", ":")).encode()


class TemplateMiner:
    """`assign`, `snapshots` and `restore` belong to one thread; the other methods may be called from any.

    Of a message, the first line and up to `max_chars` characters are looked at. Up to `max_templates` are kept, what
    was taken up by others included; `max_remembered` distinct skeletons are recognised without a look at their words.
    """

    name: Final = "templates"

    def __init__(
        self,
        *,
        max_templates: int = 10_000,
        max_per_head: int = 200,
        max_remembered: int = 16_384,
        max_chars: int = 1_024,
    ) -> None:
        self._max_remembered = max_remembered
        self._max_chars = max_chars
        self._catalog = TemplateCatalog(max_templates=max_templates, max_per_head=max_per_head)
        self._remembered: dict[str, Known] = {}
        self._shares = [_Share() for _ in range(_SHARES)]
        self._now: datetime | None = None
        self._lock = threading.Lock()

    def assign(self, events: pl.DataFrame) -> pl.DataFrame:
        """The events with `template.id`, null only where there is nothing to read. One row an event, same order."""
        if events.is_empty():
            return events
        messages = events["message"]
        if messages.null_count():
            messages = events.select(pl.coalesce("message", "event.original")).to_series()
        frame = events.select(
            skeletons(messages, max_chars=self._max_chars).alias("skeleton"),
            pl.col("@timestamp").to_physical().alias("time"),
            pl.col("log.format").alias("format"),
        )
        distinct = frame.group_by("skeleton", maintain_order=True).agg(
            pl.len(), pl.col("time").min().alias("first"), pl.col("time").max().alias("last"), pl.col("format").first()
        )
        with self._lock:
            self._now = events["event.ingested"].max()  # type: ignore[assignment]  # a column of times
            ids = self._ids_of(distinct)
        found = distinct.select("skeleton", ids.alias("id"))
        told = frame.select("skeleton").join(found, on="skeleton", how="left", maintain_order="left", nulls_equal=True)
        return events.with_columns(told["id"].alias("template.id"))

    def templates(self) -> list[Template]:
        """All templates there are now, those met last first."""
        with self._lock:
            known = [one for one in self._catalog if one.root() is one]
        return [_template(one) for one in sorted(known, key=lambda one: -one.seen)]

    def template(self, template_id: str) -> Template | None:
        """The template with this id, or the one that took it up since."""
        with self._lock:
            known = self._catalog.get(template_id)
            return None if known is None else _template(known.root())

    def aliases(self, template_id: str) -> set[str]:
        """All ids that events of the same template may carry, the given one included."""
        with self._lock:
            known = self._catalog.get(template_id)
            if known is None:
                return {template_id}
            root = known.root()
            return {template_id, *(one.id for one in self._catalog if one.root() is root)}

    @property
    def forgotten(self) -> int:
        """Templates given up since the start because there were too many."""
        return self._catalog.forgotten

    def snapshots(self) -> dict[str, bytes]:
        """What changed and is due since the last call, by key."""
        due = [(number, share) for number, share in enumerate(self._shares) if share.is_due(self._now)]
        return {_key_of(number): share.write(self._now) for number, share in due}

    def restore(self, states: Mapping[str, bytes]) -> None:
        """Continue with the templates of snapshots, found among all states by their keys. What is unreadable in them
        is learned anew."""
        rows: list[_Row] = []
        for key in (_key_of(number) for number in range(_SHARES)):
            if key in states:
                rows += _read(key, states[key])
        rows.sort(key=lambda row: (row.known.last or 0, row.known.id))
        with self._lock:
            for row in rows:
                row.known.seen = self._catalog.tick()
                self._catalog.restore(row.known)
                self._shares[_share_of(row.known.id)].templates[row.known.id] = row.known
            for row in rows:
                if row.into is not None:
                    row.known.into = self._catalog.get(row.into)
            self._catalog.compare_restored()

    def _ids_of(self, distinct: pl.DataFrame) -> pl.Series:
        """The template of each skeleton, as it is once all of them are known."""
        seen = self._catalog.tick()
        met: list[Known | None] = []
        for skeleton, log_format in distinct.select("skeleton", "format").iter_rows():
            met.append(self._template_of(skeleton, log_format) if skeleton else None)
        counts = distinct.select("len", "first", "last").iter_rows()
        ids: list[str | None] = []
        for known, (count, first, last) in zip(met, counts, strict=True):
            if known is None:
                ids.append(None)
                continue
            root = known.root()
            root.seen = seen
            root.add(count, first, last)
            self._shares[_share_of(root.id)].lines += count
            ids.append(root.id)
        self._catalog.forget_oldest()
        for known in self._catalog.changed:
            self._shares[_share_of(known.id)].keep(known)
        self._catalog.changed.clear()
        return pl.Series(ids, dtype=pl.String)

    def _template_of(self, skeleton: str, log_format: str | None) -> Known | None:
        known = self._remembered.get(skeleton)
        if known is not None and not known.is_forgotten:
            return known
        if not (text := tidy(skeleton)):
            return None
        known = self._catalog.place(text, log_format)
        self._remembered[skeleton] = known
        if len(self._remembered) > self._max_remembered:
            recent = list(self._remembered.items())[self._max_remembered // 2 :]
            self._remembered = dict(recent)
        return known


@dataclass(frozen=True, slots=True)
class _Row:
    known: Known
    into: str | None


def _template(known: Known) -> Template:
    return Template(known.id, known.text, known.count, _moment(known.first), _moment(known.last), known.format)


def _moment(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)


def _share_of(identifier: str) -> int:
    return int(identifier[:2], 16) % _SHARES


def _key_of(share: int) -> str:
    return f"{TemplateMiner.name}/{share:02x}"


def _read(key: str, state: bytes) -> list[_Row]:
    try:
        rows = json.loads(state)["templates"]
        return [
            _Row(Known(text, template_id(text), log_format, 0, count, first, last, patterns=patterns), into)
            for text, count, first, last, log_format, into, patterns in rows
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        log.warning("templates_unreadable", key=key, reason=str(error), remedy="they are learned anew")
        return []
