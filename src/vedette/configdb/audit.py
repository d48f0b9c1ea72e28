"""The trail: who decided what, and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Engine, delete, func, select
from sqlalchemy.orm import Session

from vedette.configdb.tables import AuditRow

MOST_KEPT: Final = 100_000
"""Entries; the oldest are forgotten."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One decision. `action` is like `exception-created`, `details` what was decided."""

    number: int
    at: datetime
    who: str
    action: str
    subject: str
    details: Mapping[str, Any]


def note(session: Session, *, at: datetime, who: str, action: str, subject: str, **details: Any) -> None:
    """Write an entry in the transaction of the change that it tells of."""
    row = AuditRow(at=at, who=who, action=action, subject=subject, details=details)
    session.add(row)
    session.flush()
    session.execute(delete(AuditRow).where(AuditRow.number <= row.number - MOST_KEPT))


class AuditTrail:
    """Reads the trail. Thread-safe; blocks."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def page(self, *, limit: int = 100, before: int | None = None, subject: str | None = None) -> list[AuditEntry]:
        """The newest first; `before` is the number of the last one of the page before."""
        query = select(AuditRow).order_by(AuditRow.number.desc()).limit(limit)
        if before is not None:
            query = query.where(AuditRow.number < before)
        if subject is not None:
            query = query.where(AuditRow.subject == subject)
        with Session(self._engine) as session:
            return [
                AuditEntry(row.number, row.at, row.who, row.action, row.subject, row.details)
                for row in session.scalars(query)
            ]

    def count(self) -> int:
        with Session(self._engine) as session:
            return int(session.scalar(select(func.count()).select_from(AuditRow)) or 0)
