"""Findings and incidents, with what people decided about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from threading import Lock

from vedette.analysis.incident import Incident
from vedette.api.problems import not_found
from vedette.api.rule_bodies import (
    AuditPage,
    AuditRow,
    ChapterRow,
    IncidentPage,
    IncidentRow,
    TriageAsk,
    TriageRow,
)
from vedette.api.schemas import AdviceRow, FactorRow, FindingPage, FindingRow
from vedette.api.services import FindingFilter
from vedette.app.cursors import place_from, to_cursor
from vedette.configdb import AdviceBook, AuditTrail, ExceptionBook, Triage, TriageBook
from vedette.model.advice import ModelAdvice
from vedette.model.findings import Finding
from vedette.model.rows import finding_row
from vedette.model.severity import severity_name
from vedette.store import EventStore

WHO = "local"
"""Who decides, until there are users."""
MOST_FINDINGS = 2_000
"""The newest, of which incidents are made."""


class FindingControl:
    """`FindingsControl` of the API. `incidents_of` joins findings, in any order, to incidents."""

    def __init__(
        self,
        *,
        store: EventStore,
        triage: TriageBook,
        book: ExceptionBook,
        trail: AuditTrail,
        advice: AdviceBook,
        incidents_of: Callable[[Sequence[Finding]], Sequence[Incident]],
    ) -> None:
        self._store = store
        self._triage = triage
        self._book = book
        self._trail = trail
        self._advice = advice
        self._incidents_of = incidents_of
        self._lock = Lock()
        self._made: tuple[int, tuple[Incident, ...], int] | None = None

    def page(self, wanted: FindingFilter, *, limit: int, cursor: str | None) -> FindingPage:
        found, following = self._store.findings(
            limit=limit, cursor=cursor, min_severity=wanted.min_severity, where=self._chooser(wanted)
        )
        return FindingPage(rows=self._rows(found), cursor=following)

    def get(self, identifier: str) -> FindingRow:
        return self._rows([self.known(identifier)])[0]

    def triage(self, identifier: str, body: TriageAsk) -> FindingRow:
        found = self.known(identifier)
        self._triage.decide("finding", identifier, body.status, text=body.note, by=WHO)
        return self._rows([found])[0]

    def incidents(self, *, status: str | None, min_severity: int, limit: int, cursor: str | None) -> IncidentPage:
        incidents, looked_at = self._incidents()
        decided = self._triage.of("incident", [one.id for one in incidents])
        chosen = [
            one
            for one in sorted(incidents, key=_newest_first)
            if one.severity >= min_severity and status in (None, _status(decided.get(one.id)))
        ]
        if cursor is not None:
            last, identifier = place_from(cursor, float, str)
            chosen = [one for one in chosen if _newest_first(one) > (-last, identifier)]
        page = chosen[:limit]
        more = len(chosen) > limit
        said = self._advice.of("incident", [one.id for one in page])
        return IncidentPage(
            rows=[_incident_row(one, decided.get(one.id), said.get(one.id)) for one in page],
            findings=looked_at,
            cursor=to_cursor(page[-1].last_seen.timestamp(), page[-1].id) if more else None,
        )

    def incident(self, identifier: str) -> IncidentRow:
        found = self.known_incident(identifier)
        return self._incident_row(found, self._triage.of("incident", [identifier]).get(identifier))

    def triage_incident(self, identifier: str, body: TriageAsk) -> IncidentRow:
        found = self.known_incident(identifier)
        return self._incident_row(
            found, self._triage.decide("incident", identifier, body.status, text=body.note, by=WHO)
        )

    def audit(self, *, subject: str | None, limit: int, cursor: str | None) -> AuditPage:
        before = place_from(cursor, int)[0] if cursor is not None else None
        found = self._trail.page(limit=limit + 1, before=before, subject=subject)
        rows = [AuditRow(**asdict(entry)) for entry in found[:limit]]
        return AuditPage(rows=rows, cursor=to_cursor(rows[-1].number) if len(found) > limit else None)

    def _chooser(self, wanted: FindingFilter) -> Callable[[Finding], bool] | None:
        """Whether a finding is asked for; None when all are."""
        mutes = self._book.active_mutes()
        column, colon, value = (wanted.entity or "").partition(":")

        def fits(one: Finding) -> bool:
            if wanted.rule is not None and one.rule_id != wanted.rule:
                return False
            if wanted.entity is not None:
                names_column = bool(colon) and one.entity.get(column, "").casefold() == value.casefold()
                is_value = any(wanted.entity.casefold() == held.casefold() for held in one.entity.values())
                if not (names_column and value) and not is_value:
                    return False
            if wanted.muted is not None:
                is_muted = any(mute.covers(one.rule_id, one.entity) for mute in mutes)
                if is_muted != wanted.muted:
                    return False
            if wanted.status is None:
                return True
            return _status(self._triage.of("finding", [one.id]).get(one.id)) == wanted.status

        everything = wanted.rule is None and wanted.entity is None and wanted.status is None
        return None if everything and (wanted.muted is None or (not wanted.muted and not mutes)) else fits

    def _rows(self, findings: Sequence[Finding]) -> list[FindingRow]:
        decided = self._triage.of("finding", [one.id for one in findings])
        mutes = self._book.active_mutes()
        said = self._advice.of("finding", [one.id for one in findings])
        rows = []
        for one in findings:
            row = finding_row(one) | {"muted": any(mute.covers(one.rule_id, one.entity) for mute in mutes)}
            if (triage := decided.get(one.id)) is not None:
                row |= {
                    "status": triage.status, "note": triage.note,
                    "status_by": triage.changed_by, "status_at": triage.changed_at,
                }  # fmt: skip
            row["model_advice"] = _advice_row(said.get(one.id))
            rows.append(FindingRow.model_validate(row))
        return rows

    def known(self, identifier: str) -> Finding:
        """A finding as it was made; raises Refused."""
        found = self._store.finding(identifier)
        if found is None:
            raise not_found("finding", identifier, field="finding_id")
        return found

    def _incidents(self) -> tuple[tuple[Incident, ...], int]:
        """Made anew when a finding came or grew."""
        with self._lock:
            number = self._store.next_finding_seq()
            if self._made is None or self._made[0] != number:
                found, _ = self._store.findings(limit=MOST_FINDINGS)
                self._made = number, tuple(self._incidents_of(found)), len(found)
            return self._made[1], self._made[2]

    def _incident_row(self, found: Incident, triage: Triage | None) -> IncidentRow:
        return _incident_row(found, triage, self._advice.of("incident", [found.id]).get(found.id))

    def newest_incidents(self) -> Sequence[Incident]:
        """Those among the newest findings, as they were made."""
        return self._incidents()[0]

    def known_incident(self, identifier: str) -> Incident:
        """An incident as it was made; raises Refused."""
        found = next((one for one in self._incidents()[0] if one.id == identifier), None)
        if found is None:
            raise not_found("incident", identifier, field="incident_id")
        return found


def _newest_first(one: Incident) -> tuple[float, str]:
    return -one.last_seen.timestamp(), one.id


def _status(triage: Triage | None) -> str:
    return triage.status if triage is not None else "new"


def _advice_row(said: ModelAdvice | None) -> AdviceRow | None:
    return None if said is None else AdviceRow.model_validate(asdict(said))


def _incident_row(one: Incident, triage: Triage | None, said: ModelAdvice | None) -> IncidentRow:
    return IncidentRow(
        id=one.id,
        title=one.title,
        summary=one.summary,
        severity=one.severity,
        severity_name=severity_name(one.severity),
        score=one.score,
        factors=[FactorRow(reason=factor.reason, amount=factor.amount) for factor in one.factors],
        first_seen=one.first_seen,
        last_seen=one.last_seen,
        entities={column: list(values) for column, values in one.entities.items()},
        story=[ChapterRow(**(asdict(chapter) | {"tactics": list(chapter.tactics)})) for chapter in one.story],
        finding_ids=list(one.finding_ids),
        event_count=one.event_count,
        tactics=list(one.tactics),
        techniques=list(one.techniques),
        sources=list(one.sources),
        actions=list(one.actions),
        model_advice=_advice_row(said),
        status="new" if triage is None else triage.status,
        triage=None
        if triage is None
        else TriageRow(
            status=triage.status, note=triage.note, changed_at=triage.changed_at, changed_by=triage.changed_by
        ),
    )
