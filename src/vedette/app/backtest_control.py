"""Backtests beside everything else: one at a time, at the pace that leaves the machine to the stream."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from threading import Condition, Event, Thread
from typing import Any, Final

import polars as pl
import structlog

from vedette.api.problems import Refused, not_found
from vedette.api.rule_bodies import (
    BacktestAsk,
    BacktestList,
    BacktestRow,
    BacktestRule,
    DayCount,
    SampleRow,
)
from vedette.app.rule_library import RuleLibrary
from vedette.app.rule_texts import rules_in_text
from vedette.detection.backtest import Backtest, Outcome
from vedette.detection.exclusions import Exclusion
from vedette.detection.sigma.rules import CorrelationRule, RuleSet
from vedette.model.clock import Clock
from vedette.model.errors import SettingsError
from vedette.model.events import EVENT_SCHEMA
from vedette.model.query import parse_query
from vedette.store import EventStore

log = structlog.get_logger(__name__)

_CHUNK: Final = 20_000
_MOST_WAITING: Final = 8
_MOST_KEPT: Final = 50
_USUAL: Final = timedelta(days=30)
_REST: Final = 0.25
"""Of the time a chunk took: how long the thread rests after it."""
_STATES_OF_AN_END: Final = ("finished", "cancelled", "failed")


@dataclass(slots=True)
class _Job:
    id: str
    title: str
    rules: RuleSet
    exclusion: Exclusion | None
    since: datetime
    until: datetime
    created_at: datetime
    state: str = "waiting"
    finished_at: datetime | None = None
    progress: float = 0.0
    problems: list[str] = field(default_factory=list)
    test: Backtest | None = None
    stop: Event = field(default_factory=Event)


class BacktestControl:
    """`BacktestsControl` of the API. `close` when done."""

    def __init__(self, *, store: EventStore, library: RuleLibrary, clock: Clock) -> None:
        self._store = store
        self._library = library
        self._clock = clock
        self._jobs: OrderedDict[str, _Job] = OrderedDict()
        self._changed = Condition()
        self._thread: Thread | None = None
        self._is_closed = False

    def start(self, body: BacktestAsk, *, all_rules: bool = False) -> BacktestRow:
        job = self._job_of(body, all_rules=all_rules)
        with self._changed:
            waiting = sum(one.state == "waiting" for one in self._jobs.values())
            if waiting >= _MOST_WAITING:
                detail = f"{waiting} backtests wait already; wait for one of them, or cancel it."
                raise Refused(HTTPStatus.CONFLICT, detail)
            self._jobs[job.id] = job
            self._forget_oldest()
            if self._thread is None:
                self._thread = Thread(target=self._work, name="backtest", daemon=True)
                self._thread.start()
            self._changed.notify_all()
            return _row(job)

    def get(self, identifier: str) -> BacktestRow:
        with self._changed:
            return _row(self._known(identifier))

    def list(self) -> BacktestList:
        with self._changed:
            return BacktestList(backtests=[_row(job) for job in reversed(self._jobs.values())])

    def cancel(self, identifier: str) -> BacktestRow:
        with self._changed:
            job = self._known(identifier)
            job.stop.set()
            if job.state == "waiting":
                self._end(job, "cancelled")
            return _row(job)

    def wait(self, identifier: str, seconds: float) -> BacktestRow:
        """The backtest when it has ended, or as it is after so many seconds."""
        with self._changed:
            job = self._known(identifier)
            self._changed.wait_for(lambda: job.state in _STATES_OF_AN_END, timeout=seconds)
            return _row(job)

    def close(self) -> None:
        """Stop what runs; returns when it has."""
        with self._changed:
            self._is_closed = True
            for job in self._jobs.values():
                job.stop.set()
            thread = self._thread
            self._changed.notify_all()
        if thread is not None:
            thread.join()

    def _job_of(self, body: BacktestAsk, *, all_rules: bool) -> _Job:
        now = self._clock.now()
        until = body.until or now
        since = body.since or until - _USUAL
        for name, moment in (("since", since), ("until", until)):
            if moment.tzinfo is None:
                raise SettingsError(f"{name}: {moment.isoformat()} names no zone; add Z or an offset.", field=name)
        if since >= until:
            raise SettingsError(f"since: {since.isoformat()} is not before {until.isoformat()}.", field="since")
        rules, title = self._rules_of(body, all_rules=all_rules)
        exclusion = None
        if body.condition is not None:
            exclusion = Exclusion(None, parse_query(body.condition, now=now), datetime.max.replace(tzinfo=now.tzinfo))
        return _Job(secrets.token_hex(6), title, rules, exclusion, since, until, now)

    def _rules_of(self, body: BacktestAsk, *, all_rules: bool) -> tuple[RuleSet, str]:
        given = [body.text is not None, bool(body.rules), body.pack is not None]
        if all_rules:
            return self._library.rules, "all rules"
        if sum(given) != 1:
            detail = "rules: give the text of rules, their ids, or a pack: one of the three."
            raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, detail, field="rules")
        if body.text is not None:
            read = rules_in_text(body.text, known=self._library.rules.rules)
            if not read.rules:
                reason = str(read.problems[0]) if read.problems else "it holds no rule"
                raise SettingsError(f"text: {reason}", field="text")
            named = [name for rule in read.correlations for name in rule.rules]
            beside = _with_parts(self._library.rules, named)
            return RuleSet(
                (*read.detections, *(rule for rule in beside.detections if rule.id not in {r.id for r in read.rules})),
                (*read.correlations, *beside.correlations),
                read.problems,
            ), read.rules[0].title
        if body.pack is not None:
            found = next((one for one in self._library.packs if one.pack.name == body.pack), None)
            if found is None:
                raise not_found("pack", body.pack, field="pack")
            return _with_parts(self._library.rules, [rule.id for rule in found.rules.rules]), f"pack {body.pack}"
        for name in body.rules:
            if self._library.get(name.lower()) is None:
                raise not_found("rule", name, field="rules")
        chosen = [name.lower() for name in body.rules]
        first = self._library.get(chosen[0])
        more = f" and {len(chosen) - 1} more" if len(chosen) > 1 else ""
        return _with_parts(self._library.rules, chosen), f"{first.title if first else chosen[0]}{more}"

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._is_closed or self._next() is not None)
                if self._is_closed:
                    return
                job = self._next()
                assert job is not None
                job.state = "running"
            try:
                self._run(job)
                state = "cancelled" if job.stop.is_set() else "finished"
            except Exception as error:
                log.exception("backtest_failed", id=job.id)
                state = "failed"
                job.problems.append(f"it ended early: {error}")
            with self._changed:
                self._end(job, state)

    def _run(self, job: _Job) -> None:
        test = Backtest(job.rules, job.exclusion)
        with self._changed:
            job.test = test
            job.problems += test.problems
        seq, end = self._store.oldest_seq() - 1, self._store.next_seq()
        first = seq
        stamp = pl.col("@timestamp")
        while not job.stop.is_set():
            started = time.monotonic()
            frame = self._store.frames_after(seq, end, limit=_CHUNK)
            if frame.is_empty():
                with self._changed:
                    test.finish(self._clock.now(), until=job.until)
                break
            seq = int(frame["vedette.seq"][-1])
            events = frame.filter(stamp.is_between(job.since, job.until)).select(EVENT_SCHEMA.names())
            with self._changed:
                if events.height:
                    test.take(events, self._clock.now())
                job.progress = min(1.0, (seq - first) / max(1, end - 1 - first))
            job.stop.wait(min(0.5, (time.monotonic() - started) * _REST))

    def _next(self) -> _Job | None:
        return next((job for job in self._jobs.values() if job.state == "waiting"), None)

    def _end(self, job: _Job, state: str) -> None:
        job.state, job.finished_at = state, self._clock.now()
        if state == "finished":
            job.progress = 1.0
        self._changed.notify_all()

    def _forget_oldest(self) -> None:
        ended = [one.id for one in self._jobs.values() if one.state in _STATES_OF_AN_END]
        for identifier in ended[: max(0, len(self._jobs) - _MOST_KEPT)]:
            del self._jobs[identifier]

    def _known(self, identifier: str) -> _Job:
        found = self._jobs.get(identifier)
        if found is None:
            raise not_found("backtest", identifier, field="backtest_id")
        return found


def _with_parts(rules: RuleSet, wanted: Iterable[str]) -> RuleSet:
    """These rules, and those that the correlations among them join."""
    by_id = {rule.id: rule for rule in rules.rules}
    chosen: dict[str, Any] = {}
    left = list(wanted)
    while left:
        rule = by_id.get(left.pop())
        if rule is None or rule.id in chosen:
            continue
        chosen[rule.id] = rule
        if isinstance(rule, CorrelationRule):
            left.extend(rule.rules)
    return RuleSet(
        tuple(rule for rule in rules.detections if rule.id in chosen),
        tuple(rule for rule in rules.correlations if rule.id in chosen),
    )


def _row(job: _Job) -> BacktestRow:
    outcomes = [one for one in job.test.outcomes.values() if one.matches or one.findings] if job.test else []
    outcomes.sort(key=lambda one: (-one.matches, -one.findings, one.rule.title))
    matches = sum(one.matches for one in outcomes)
    hidden = sum(one.hidden for one in outcomes)
    findings = sum(one.findings for one in outcomes)
    row: dict[str, Any] = {
        "id": job.id,
        "state": job.state,
        "title": job.title,
        "since": job.since,
        "until": job.until,
        "created_at": job.created_at,
        "finished_at": job.finished_at,
        "progress": round(job.progress, 3),
        "events": job.test.events if job.test else 0,
        "matches": matches,
        "hidden": hidden,
        "findings": findings,
        "summary": _summary(job, matches, hidden, findings),
        "rules": [_rule_row(one) for one in outcomes[:1_000]],
        "problems": job.problems,
    }
    return BacktestRow.model_validate(row)


def _rule_row(one: Outcome) -> BacktestRule:
    return BacktestRule(
        rule_id=one.rule.id,
        title=one.rule.title,
        level=one.rule.level,
        matches=one.matches,
        hidden=one.hidden,
        findings=one.findings,
        days=[DayCount(day=day, count=count) for day, count in sorted(one.days.items())],
        samples=[
            SampleRow(event_id=each.event_id, time=each.time, text=each.text, hidden=each.is_hidden)
            for each in one.samples
        ],
    )


def _summary(job: _Job, matches: int, hidden: int, findings: int) -> str:
    days = max(1, round((job.until - job.since) / timedelta(days=1)))
    span = f"in {days} day{'' if days == 1 else 's'}"
    so_far = "" if job.state == "finished" else "so far, "
    if job.exclusion is not None:
        return f"{so_far}would have hidden {hidden:,} of {matches:,} events {span}"
    kind = "finding" if findings == 1 else "findings"
    return f"{so_far}would have matched {matches:,} events {span}, {findings:,} {kind}"
