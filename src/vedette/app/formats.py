"""Formats at run time: the library in use, the operator's own files, learning, and the review queue."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from threading import RLock
from typing import Any, Final

import polars as pl
import structlog

from vedette.api.format_bodies import (
    Decision,
    EvaluationRow,
    ExplainLines,
    FitRow,
    FormatChoicePage,
    FormatChoiceRow,
    FormatDetail,
    FormatExplanation,
    FormatList,
    FormatRow,
    FormatTest,
    FormatText,
    LineResult,
    ProposalChanges,
    ProposalDetail,
    ProposalPage,
    ProposalRow,
    TestLines,
)
from vedette.api.problems import Refused, not_found
from vedette.app.core import USER_FORMATS
from vedette.app.detection import CONFIG_FILE
from vedette.app.format_files import FormatFolder
from vedette.configdb import Proposal, ProposalQueue, ProposalState, open_database
from vedette.formats import FormatEngine, FormatLibrary, load_library
from vedette.formats.definition import FormatFile, read_format
from vedette.formats.learning import (
    UnreadLines,
    UnreadSampler,
    columns_told,
    edited,
    evaluate,
    propose,
    sample_problems,
    with_samples,
)
from vedette.formats.library import shipped_text
from vedette.model.clock import Clock, SystemClock
from vedette.model.errors import FormatError, QueryError
from vedette.model.health import HealthState, PartHealth
from vedette.model.query import parse_query
from vedette.model.rows import rows_of
from vedette.store import EventStore

log = structlog.get_logger(__name__)

_PREVIEW_LINES: Final = 20
_LINES_KEPT: Final = 100
_LONGEST_NAME: Final = 128
_RECALLED: Final = 2_000
_SAME_SHAPE: Final = 0.5
_LEAST_CONFIDENCE: Final = 0.6
_NEW_COLUMNS: Final = 2
_TOLD_BY_CATCH_ALLS: Final = frozenset(("time", "message", "log.level", "process.name", "process.pid"))
_WHO: Final = "local"
"""Who decides, until there are users."""


class FormatControl:
    """`FormatsControl` of the API. Also learns, and follows the folder; thread-safe, every method blocks."""

    def __init__(
        self, *, folder: Path, engine: FormatEngine, queue: ProposalQueue, sampler: UnreadSampler, clock: Clock
    ) -> None:
        self._folder = FormatFolder(folder)
        self._engine = engine
        self._queue = queue
        self._sampler = sampler
        self._clock = clock
        self._lock = RLock()
        self._seen = self._folder.signature()
        self._started = clock.now()

    def list_formats(self) -> FormatList:
        library = self._engine.library
        files = Counter(choice.format for choice in self._engine.choices())
        rows = [_row(one, library, files[one.name]) for one in library.definitions.values()]
        return FormatList(
            formats=sorted(rows, key=lambda row: row.name), problems=[str(problem) for problem in library.problems]
        )

    def get(self, name: str) -> FormatDetail | None:
        library = self._engine.library
        one = library.definitions.get(name)
        if one is None:
            return None
        files = sum(choice.format == name for choice in self._engine.choices())
        content = one.model_dump(mode="json", exclude_defaults=True)
        return FormatDetail(**_row(one, library, files).model_dump(), text=_text_of(library, name), definition=content)

    def health(self) -> PartHealth:
        """Degraded while a file is broken."""
        problems = self._engine.library.problems
        if not problems:
            return PartHealth("formats", HealthState.OK, self._started)
        reason = f"{len(problems)} format file(s) are not used: {problems[0]}"
        return PartHealth("formats", HealthState.DEGRADED, self._started, reason, "Correct the file, or remove it")

    def put(self, name: str, body: FormatText) -> FormatDetail:
        one = read_format(body.text, name)
        if one.name != name:
            raise FormatError(f"{name}: name: '{one.name}' is another format; write name: {name}")
        _check_samples(one, self._clock.now())
        with self._lock:
            self._write(one, body.text)
        found = self.get(name)
        assert found is not None
        return found

    def delete(self, name: str) -> None:
        with self._lock:
            library = self._engine.library
            if name not in library.definitions:
                raise not_found("format", name, field="name")
            if name not in library.own:
                detail = f"The format {name!r} ships with Vedette; only your own can be removed."
                raise Refused(HTTPStatus.CONFLICT, detail, field="name", value=name)
            self._folder.remove(library.own[name])
            self.reload()

    def reload(self) -> None:
        """Read all files anew, and use what they say."""
        with self._lock:
            self._seen = self._folder.signature()
            library = load_library(self._folder.path)
            self._engine.use(library)
            log.info("formats_loaded", own=len(library.own), problems=len(library.problems))

    def reload_if_changed(self) -> bool:
        """Follow what was done to the files by hand."""
        with self._lock:
            if self._folder.signature() == self._seen:
                return False
            self.reload()
            return True

    def test(self, body: TestLines) -> FormatTest:
        one = self._wanted(body)
        columns = columns_told(one, body.lines, self._clock.now())
        results = [LineResult(line=line, columns=told) for line, told in zip(body.lines, columns, strict=True)]
        return FormatTest(
            name=one.name,
            results=results,
            misfits=[number for number, told in enumerate(columns) if told is None],
            samples=sample_problems(one, self._clock.now()),
        )

    def explain(self, body: ExplainLines) -> FormatExplanation:
        explained = self._engine.explain(body.lines, reference_time=self._clock.now(), timezone=body.timezone)
        return FormatExplanation(
            format=explained.choice.format,
            confidence=explained.choice.confidence,
            reason=explained.choice.reason,
            fits=[
                FitRow(format=fit.format_name, confidence=fit.confidence, reason=fit.reason) for fit in explained.fits
            ],
            rows=rows_of(explained.events),
        )

    def choices(self, *, limit: int, cursor: str | None) -> FormatChoicePage:
        after = _from_cursor(cursor) if cursor else None
        choices = [one for one in self._engine.choices() if after is None or (one.source, one.path) > after]
        page = choices[:limit]
        more = len(choices) > limit
        return FormatChoicePage(
            rows=[FormatChoiceRow(**asdict(one)) for one in page],
            cursor=_to_cursor(page[-1].source, page[-1].path) if more else None,
        )

    def proposals(self, state: ProposalState | None, *, limit: int, cursor: str | None) -> ProposalPage:
        if cursor is not None and self._queue.get(cursor) is None:
            raise _unknown_cursor(cursor)
        found = self._queue.page(state, limit=limit + 1, after=cursor)
        return ProposalPage(
            rows=[_proposal_row(one) for one in found[:limit]],
            waiting=self._queue.count("proposed"),
            cursor=found[limit - 1].id if len(found) > limit else None,
        )

    def proposal(self, identifier: str) -> ProposalDetail:
        return self._detail(self._known(identifier))

    def change(self, identifier: str, body: ProposalChanges) -> ProposalDetail:
        with self._lock:
            one = self._waiting(identifier)
            definition, text = self._edited(one, body)
            judged = evaluate(definition, one.lines, lines_seen=one.lines_seen, reference_time=self._clock.now())
            changed = self._queue.change(one.id, name=definition.name, document=text, evaluation=asdict(judged))
            return self._detail(changed or self._known(identifier))

    def accept(self, identifier: str, body: Decision) -> ProposalDetail:
        with self._lock:
            one = self._waiting(identifier)
            definition, text = self._edited(one, ProposalChanges(name=body.name, title=body.title))
            if definition.name in self._engine.library.definitions:
                detail = f"name: {definition.name!r} is taken by another format; accept it under another name."
                raise Refused(HTTPStatus.CONFLICT, detail, field="name", value=definition.name)
            self._write(definition, text)
            self._queue.change(one.id, name=definition.name, document=text, evaluation=one.evaluation)
            self._queue.decide(one.id, "accepted", by=_WHO)
            self._sampler.forget(one.source, one.path)
            log.info("format_accepted", name=definition.name, source=one.source, path=one.path)
            return self._detail(self._known(identifier))

    def reject(self, identifier: str) -> ProposalDetail:
        with self._lock:
            one = self._waiting(identifier)
            self._queue.decide(one.id, "rejected", by=_WHO)
            return self._detail(self._known(identifier))

    def learn(self) -> Proposal | None:
        """Propose a format for the next file with enough unread lines; takes about a second at most. None when no file is
        due, or nothing new came of it."""
        unread = self._sampler.take_due()
        if unread is None:
            return None
        lines = self.still_unread(unread.lines)
        if len(lines) < len(unread.lines) / 10 or len(lines) < 5 or self._is_known_shape(unread, lines):
            return None
        return self._propose(unread, lines)

    def recall(self, store: EventStore, *, but: Set[str]) -> None:
        """Go on with the lines that were unread before a restart: the store remembers them. `but` are sources whose format
        is wished."""
        unread = " OR ".join(f"log.format:{name}" for name in self._engine.library.catch_alls)
        query = parse_query(f"parse.status:unparsed OR {unread}", now=self._clock.now())
        files: dict[tuple[str, str], list[str]] = {}
        for row in reversed(store.search(query, limit=_RECALLED).rows):
            if row["vedette.source"] not in but:
                files.setdefault((row["vedette.source"], row["log.file.path"]), []).append(row["event.original"])
        for (source, path), lines in files.items():
            if unread_lines := self.still_unread(lines):
                self._sampler.add(source, path, pl.Series("line", unread_lines))

    def still_unread(self, lines: Sequence[str]) -> list[str]:
        """Those that no format, or none in particular, explains now."""
        if not lines:
            return []
        events = self._engine.explain(lines, reference_time=self._clock.now()).events
        unread = events["log.format"].is_in(self._engine.library.catch_alls)
        return pl.Series(lines).filter(unread).to_list()

    def _propose(self, unread: UnreadLines, lines: Sequence[str]) -> Proposal | None:
        title = f"Lines of {unread.path}"
        made = propose(lines, name=self._free_name(unread.path), title=title, reference_time=self._clock.now())
        if made is None or made.evaluation.confidence < _LEAST_CONFIDENCE:
            return None
        if not self._tells_more(lines, made.evaluation.columns):
            return None
        added = self._queue.add(
            source=unread.source,
            path=unread.path,
            name=made.definition.name,
            document=made.text,
            lines=lines[:_LINES_KEPT],
            lines_seen=unread.seen,
            evaluation=asdict(made.evaluation),
        )
        log.info("format_proposed", id=added.id, path=unread.path, confidence=made.evaluation.confidence)
        return added

    def _tells_more(self, lines: Sequence[str], columns: Sequence[str]) -> bool:
        """More than the format that explains nearly everything, where that one reads the lines."""
        plain = self._engine.library.plain.name
        events = self._engine.explain(lines, reference_time=self._clock.now()).events
        if (events["log.format"] == plain).sum() > events.height / 2:
            return True
        new = set(columns) - _TOLD_BY_CATCH_ALLS
        return len(new) >= _NEW_COLUMNS or any(not column.startswith("fields.") for column in new)

    def _is_known_shape(self, unread: UnreadLines, lines: Sequence[str]) -> bool:
        """A proposal waits for such lines, or one was rejected."""
        states: tuple[ProposalState, ...] = ("rejected", "proposed")
        for state in states:
            for one in self._queue.page(state, limit=200):
                fits = [told is not None for told in self._told(one, lines[:50])]
                if sum(fits) >= _SAME_SHAPE * len(fits):
                    if (one.source, one.path) == (unread.source, unread.path):
                        self._queue.saw(one.id, unread.seen)
                    return True
        return False

    def _free_name(self, path: str) -> str:
        stem = re.sub(r"[^a-z0-9]+", "-", Path(path).name.lower().removesuffix(".log")).strip("-") or "lines"
        taken = {*self._engine.library.definitions, *(one.name for one in self._queue.page("proposed", limit=200))}
        name, number = f"learned-{stem[:60]}", 2
        while name in taken:
            name, number = f"learned-{stem[:60]}-{number}", number + 1
        return name

    def _wanted(self, body: TestLines) -> FormatFile:
        if (body.name is None) == (body.text is None):
            detail = "name: name a format, or send the text of one, not both."
            raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, detail, field="name")
        if body.text is not None:
            return read_format(body.text, "text")
        one = self._engine.library.definitions.get(body.name or "")
        if one is None:
            raise not_found("format", body.name or "", field="name")
        return one

    def _write(self, one: FormatFile, text: str) -> None:
        if len(one.name) > _LONGEST_NAME:
            raise FormatError(f"name: '{one.name[:40]}…' has more than {_LONGEST_NAME} characters; shorten it")
        self._folder.write(one.name, text, over=self._engine.library.own.get(one.name))
        self.reload()

    def _known(self, identifier: str) -> Proposal:
        found = self._queue.get(identifier)
        if found is None:
            raise not_found("proposal", identifier, field="proposal_id")
        return found

    def _waiting(self, identifier: str) -> Proposal:
        one = self._known(identifier)
        if one.state != "proposed":
            detail = f"The proposal {identifier!r} was {one.state} already; change the format {one.name!r} instead."
            raise Refused(HTTPStatus.CONFLICT, detail, field="proposal_id", value=identifier)
        return one

    def _edited(self, one: Proposal, body: ProposalChanges) -> tuple[FormatFile, str]:
        """The proposal's file with the changes, and its samples as it reads them now."""
        text = edited(body.text or one.document, name=body.name, title=body.title, captures=body.captures or {})
        definition = read_format(text, one.name)
        if not body.captures:
            _check_samples(definition, self._clock.now())
            return definition, text
        return with_samples(definition, text, one.lines, self._clock.now())

    def _told(self, one: Proposal, lines: Sequence[str]) -> list[dict[str, Any] | None]:
        """What a proposal makes of lines; nothing where its file is not valid any more."""
        try:
            return columns_told(read_format(one.document, one.name), lines, self._clock.now())
        except FormatError:
            return [None] * len(lines)

    def _detail(self, one: Proposal) -> ProposalDetail:
        lines = one.lines[:_PREVIEW_LINES]
        columns = self._told(one, lines)
        return ProposalDetail(
            **_proposal_row(one).model_dump(),
            text=one.document,
            evaluation=EvaluationRow.model_validate(dict(one.evaluation)),
            preview=[LineResult(line=line, columns=told) for line, told in zip(lines, columns, strict=True)],
        )


@contextmanager
def offline_control(data_dir: Path) -> Iterator[FormatControl]:
    """The control of a data folder that this process owns, without a server."""
    clock = SystemClock()
    folder = data_dir / USER_FORMATS
    engine = FormatEngine(load_library(folder))
    database = open_database(data_dir / CONFIG_FILE)
    queue = ProposalQueue(database, clock)
    try:
        yield FormatControl(folder=folder, engine=engine, queue=queue, sampler=UnreadSampler(), clock=clock)
    finally:
        database.dispose()


def _check_samples(one: FormatFile, now: datetime) -> None:
    if problems := sample_problems(one, now):
        raise FormatError(f"{one.name}: samples: {problems[0]}")


def _row(one: FormatFile, library: FormatLibrary, files: int) -> FormatRow:
    own = library.own.get(one.name)
    return FormatRow(
        name=one.name,
        title=one.title,
        kind="message" if one.is_message_format else "line",
        codec=one.codec,
        rank=one.rank,
        origin="shipped" if own is None else "own",
        file=None if own is None else str(own),
        programs=list(one.programs),
        samples=len(one.samples),
        files=files,
    )


def _text_of(library: FormatLibrary, name: str) -> str:
    own = library.own.get(name)
    if own is None:
        return shipped_text(name) or ""
    try:
        return own.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _title_of(one: Proposal) -> str:
    try:
        return read_format(one.document, one.name).title
    except FormatError:
        return one.name


def _proposal_row(one: Proposal) -> ProposalRow:
    return ProposalRow(
        id=one.id,
        state=one.state,
        name=one.name,
        title=_title_of(one),
        source=one.source,
        path=one.path,
        lines_seen=one.lines_seen,
        confidence=float(one.evaluation["confidence"]),
        created_at=one.created_at,
        updated_at=one.updated_at,
        decided_at=one.decided_at,
        decided_by=one.decided_by,
    )


def _to_cursor(*place: str) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def _from_cursor(cursor: str) -> tuple[str, str]:
    try:
        place = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, UnicodeError, ValueError):
        raise _unknown_cursor(cursor) from None
    if not (isinstance(place, list) and len(place) == 2 and all(isinstance(part, str) for part in place)):
        raise _unknown_cursor(cursor)
    return place[0], place[1]


def _unknown_cursor(cursor: str) -> QueryError:
    text = f"the cursor {cursor[:80]!r} ends no page; leave it out to begin at the first"
    return QueryError(text, text=cursor, position=0)
