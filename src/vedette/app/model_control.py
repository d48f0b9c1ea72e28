"""The language model beside findings and incidents: what it is asked about, and what it would be sent."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus
from itertools import zip_longest
from typing import Any, Final

import structlog

from vedette.analysis.incident import Incident
from vedette.analysis.llm import Adviser, Question, Subject, question_about_finding, question_about_incident
from vedette.analysis.llm.question import INSTRUCTIONS, MOST_EVENTS
from vedette.api.problems import Refused, not_found
from vedette.api.schemas import ModelQuestion
from vedette.configdb import AdviceBook
from vedette.model.advice import AdvisedKind
from vedette.model.clock import Clock
from vedette.model.findings import Finding
from vedette.model.health import PartHealth
from vedette.settings import ModelSettings
from vedette.store import EventStore

log = structlog.get_logger(__name__)

_INCIDENTS_EVERY: Final = timedelta(seconds=15)


class ModelAdviceControl:
    """`ModelControl` of the API. While the model is switched off it only shows what would be asked.

    `incidents` are those among the newest findings; it blocks.
    """

    def __init__(
        self,
        settings: ModelSettings,
        *,
        store: EventStore,
        book: AdviceBook,
        incidents: Callable[[], Sequence[Incident]],
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._store = store
        self._incidents = incidents
        self._adviser = (
            Adviser(settings, question_of=self._question_of, book=book, clock=clock) if settings.enabled else None
        )

    def note(self, findings: Iterable[Finding]) -> None:
        """What was committed; returns at once."""
        if self._adviser is not None:
            self._adviser.offer(Subject("finding", one.id, one.severity) for one in findings)

    def ask(self, kind: AdvisedKind, identifier: str) -> None:
        if self._adviser is None:
            raise Refused(HTTPStatus.CONFLICT, "No model is switched on; set ai.enabled and ai.model in the settings.")
        severity = self._severity(kind, identifier)
        asked = self._question_of(Subject(kind, identifier, severity))
        if asked is None or not asked.event_ids:
            raise Refused(
                HTTPStatus.CONFLICT,
                f"This {kind} has no events that are still stored; there is nothing to show a model.",
            )
        if not self._adviser.wish(Subject(kind, identifier, severity, is_wished=True)):
            raise Refused(HTTPStatus.CONFLICT, "Too many questions wait for the model; try again later.")

    def question(self, kind: AdvisedKind, identifier: str) -> ModelQuestion:
        asked = self._question_of(Subject(kind, identifier, self._severity(kind, identifier)))
        if asked is None:
            raise not_found(kind, identifier, field=f"{kind}_id")
        return ModelQuestion(
            enabled=self._settings.enabled,
            base_url=self._settings.base_url,
            model=self._settings.model,
            instructions=INSTRUCTIONS,
            text=asked.text,
        )

    def health(self) -> Iterable[PartHealth]:
        """Nothing while it is switched off."""
        return () if self._adviser is None else (self._adviser.health(),)

    def stats(self) -> Mapping[str, Any]:
        """Counters; nothing while it is switched off."""
        return {} if self._adviser is None else {"model": self._adviser.stats()}

    async def run(self) -> None:
        """Ask about what was noted, and about incidents, until cancelled."""
        if self._adviser is not None:
            await asyncio.gather(self._adviser.run(), self._follow_incidents(self._adviser))

    async def _follow_incidents(self, adviser: Adviser) -> None:
        while True:
            await asyncio.sleep(_INCIDENTS_EVERY.total_seconds())
            try:
                found = await asyncio.to_thread(self._incidents)
            except Exception:
                log.exception("incidents_not_followed")
                continue
            adviser.offer(
                Subject("incident", one.id, one.severity, version=_rules_of(one))
                for one in found
                if len(one.finding_ids) > 1
            )

    def _severity(self, kind: AdvisedKind, identifier: str) -> int:
        """Raises Refused for what is not there."""
        found = self._store.finding(identifier) if kind == "finding" else self._incident(identifier)
        if found is None:
            raise not_found(kind, identifier, field=f"{kind}_id")
        return found.severity

    def _incident(self, identifier: str) -> Incident | None:
        return next((one for one in self._incidents() if one.id == identifier), None)

    def _question_of(self, subject: Subject) -> Question | None:
        names = self._settings.redact == "everything"
        if subject.kind == "finding":
            finding = self._store.finding(subject.id)
            if finding is None:
                return None
            events = self._events(_telling(finding))
            return question_about_finding(finding, events, names=names, nonce=secrets.token_hex(16))
        incident = self._incident(subject.id)
        if incident is None:
            return None
        told = [self._store.finding(chapter.finding_id) for chapter in incident.story[:MOST_EVENTS]]
        turns = zip_longest(*(_telling(one) for one in told if one is not None))
        events = self._events(each for turn in turns for each in turn if each is not None)
        return question_about_incident(incident, events, names=names, nonce=secrets.token_hex(16))

    def _events(self, identifiers: Iterable[str]) -> list[Mapping[str, Any]]:
        """The first of these that are still stored, each once."""
        rows: list[Mapping[str, Any]] = []
        for identifier in dict.fromkeys(identifiers):
            if len(rows) == MOST_EVENTS:
                break
            if (row := self._store.get(identifier)) is not None:
                rows.append(row)
        return rows


def _telling(finding: Finding) -> list[str]:
    """Its events: those that prove it, then the first and the last of its sample."""
    proof = [each.event_id for each in finding.evidence if each.event_id is not None]
    half = MOST_EVENTS // 2
    return list(dict.fromkeys((*proof[:half], *finding.event_ids[:half], *finding.event_ids[-half:])))


def _rules_of(incident: Incident) -> str:
    return " ".join(sorted({chapter.rule_id for chapter in incident.story}))
