"""What became of findings and incidents."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import RLock
from typing import Final, Literal, get_args

from sqlalchemy import Engine, delete, func, select
from sqlalchemy.orm import Session

from vedette.configdb.audit import note
from vedette.configdb.tables import TriageRow
from vedette.model.clock import Clock

TriageStatus = Literal["new", "acknowledged", "resolved", "false-positive"]
TriageKind = Literal["finding", "incident"]
STATUSES: Final[tuple[TriageStatus, ...]] = get_args(TriageStatus)
MOST_KEPT: Final = 50_000
"""Of each kind; the oldest are forgotten."""


@dataclass(frozen=True, slots=True)
class Triage:
    """What somebody decided about a finding or an incident."""

    subject: str
    status: TriageStatus
    note: str
    changed_at: datetime
    changed_by: str


class TriageBook:
    """Thread-safe; changes block and are durable with their entry in the trail, reads are served from memory."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._lock = RLock()
        self._known: dict[TriageKind, OrderedDict[str, Triage]] = {"finding": OrderedDict(), "incident": OrderedDict()}
        with Session(engine) as session:
            for row in session.scalars(select(TriageRow).order_by(TriageRow.changed_at)):
                self._known[row.kind][row.subject] = _triage(row)  # type: ignore[index]  # only these are written

    def of(self, kind: TriageKind, subjects: Sequence[str]) -> Mapping[str, Triage]:
        """What was decided about these; the others are left out."""
        with self._lock:
            known = self._known[kind]
            return {subject: known[subject] for subject in subjects if subject in known}

    def decide(self, kind: TriageKind, subject: str, status: TriageStatus, *, text: str, by: str) -> Triage:
        """Note what became of it; the note before is kept in the trail only."""
        now = self._clock.now()
        decided = Triage(subject, status, text, now, by)
        with self._lock:
            with Session(self._engine) as session, session.begin():
                row = session.get(TriageRow, (kind, subject)) or TriageRow(kind=kind, subject=subject)
                row.status, row.note, row.changed_at, row.changed_by = status, text, now, by
                session.add(row)
                note(session, at=now, who=by, action=f"{kind}-triaged", subject=subject, status=status, note=text)
                _forget_oldest(session, kind)
            known = self._known[kind]
            known[subject] = decided
            known.move_to_end(subject)
            while len(known) > MOST_KEPT:
                known.popitem(last=False)
        return decided


def _forget_oldest(session: Session, kind: TriageKind) -> None:
    session.flush()
    surplus = int(session.scalar(select(func.count()).select_from(TriageRow).where(TriageRow.kind == kind)) or 0)
    if surplus > MOST_KEPT:
        oldest = (
            select(TriageRow.subject)
            .where(TriageRow.kind == kind)
            .order_by(TriageRow.changed_at)
            .limit(surplus - MOST_KEPT)
        )
        session.execute(delete(TriageRow).where(TriageRow.kind == kind, TriageRow.subject.in_(oldest)))


def _triage(row: TriageRow) -> Triage:
    return Triage(row.subject, row.status, row.note, row.changed_at, row.changed_by)  # type: ignore[arg-type]  # likewise
