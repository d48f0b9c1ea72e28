"""The review queue: formats that were proposed, and what people decided about them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import RLock
from typing import Any, Final, Literal

from sqlalchemy import Engine, delete, func, select
from sqlalchemy.orm import Session

from vedette.configdb.tables import ProposalRow
from vedette.model.clock import Clock

ProposalState = Literal["proposed", "accepted", "rejected"]

MOST_KEPT: Final = 500
"""Of each state; the oldest are forgotten."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """One format that was proposed. `document` is the text of its file, `lines` some of those it was learned from."""

    id: str
    state: ProposalState
    source: str
    path: str
    name: str
    document: str
    lines: tuple[str, ...]
    lines_seen: int
    evaluation: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime
    decided_at: datetime | None = None
    decided_by: str | None = None


class ProposalQueue:
    """Thread-safe; every method blocks, every change is one durable transaction.

    A decision is taken once: `decide` tells whether it was this one.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._lock = RLock()

    def add(
        self,
        *,
        source: str,
        path: str,
        name: str,
        document: str,
        lines: Sequence[str],
        lines_seen: int,
        evaluation: Mapping[str, Any],
    ) -> Proposal:
        """Put a new one at the end."""
        now = self._clock.now()
        row = ProposalRow(
            id=secrets.token_hex(6),
            state="proposed",
            source=source,
            path=path,
            name=name,
            document=document,
            lines=list(lines),
            lines_seen=lines_seen,
            evaluation=dict(evaluation),
            created_at=now,
            updated_at=now,
        )
        with self._lock, Session(self._engine, expire_on_commit=False) as session, session.begin():
            session.add(row)
            _forget_oldest(session, "proposed")
        return _read(row)

    def page(self, state: ProposalState | None = None, *, limit: int = 100, after: str | None = None) -> list[Proposal]:
        """The newest first; `after` is the id of the last one of the page before."""
        query = select(ProposalRow).order_by(ProposalRow.created_at.desc(), ProposalRow.id.desc()).limit(limit)
        with self._lock, Session(self._engine) as session:
            if state is not None:
                query = query.where(ProposalRow.state == state)
            if after is not None:
                last = session.get(ProposalRow, after)
                if last is None:
                    return []
                is_older = ProposalRow.created_at < last.created_at
                is_next = (ProposalRow.created_at == last.created_at) & (ProposalRow.id < last.id)
                query = query.where(is_older | is_next)
            return [_read(row) for row in session.scalars(query)]

    def get(self, identifier: str) -> Proposal | None:
        with self._lock, Session(self._engine) as session:
            row = session.get(ProposalRow, identifier)
            return _read(row) if row is not None else None

    def count(self, state: ProposalState) -> int:
        with self._lock, Session(self._engine) as session:
            query = select(func.count()).select_from(ProposalRow).where(ProposalRow.state == state)
            return int(session.scalar(query) or 0)

    def change(self, identifier: str, *, name: str, document: str, evaluation: Mapping[str, Any]) -> Proposal | None:
        """Another text for one that waits; None when it does not, or is unknown."""
        with self._lock, Session(self._engine, expire_on_commit=False) as session, session.begin():
            row = session.get(ProposalRow, identifier)
            if row is None or row.state != "proposed":
                return None
            row.name, row.document, row.evaluation = name, document, dict(evaluation)
            row.updated_at = self._clock.now()
            return _read(row)

    def saw(self, identifier: str, lines_seen: int) -> None:
        """More lines of its kind came."""
        with self._lock, Session(self._engine) as session, session.begin():
            row = session.get(ProposalRow, identifier)
            if row is not None:
                row.lines_seen = max(row.lines_seen, lines_seen)

    def decide(self, identifier: str, state: Literal["accepted", "rejected"], *, by: str) -> Proposal | None:
        """Settle one that waits; None when it does not, or is unknown."""
        with self._lock, Session(self._engine, expire_on_commit=False) as session, session.begin():
            row = session.get(ProposalRow, identifier)
            if row is None or row.state != "proposed":
                return None
            row.state, row.decided_by = state, by
            row.decided_at = row.updated_at = self._clock.now()
            session.flush()
            _forget_oldest(session, state)
            return _read(row)


def _forget_oldest(session: Session, state: ProposalState) -> None:
    newest = (
        select(ProposalRow.id)
        .where(ProposalRow.state == state)
        .order_by(ProposalRow.created_at.desc(), ProposalRow.id.desc())
        .limit(MOST_KEPT)
    )
    session.execute(delete(ProposalRow).where(ProposalRow.state == state, ProposalRow.id.not_in(newest)))


def _read(row: ProposalRow) -> Proposal:
    return Proposal(
        id=row.id,
        state=row.state,  # type: ignore[arg-type]  # only these are written
        source=row.source,
        path=row.path,
        name=row.name,
        document=row.document,
        lines=tuple(row.lines),
        lines_seen=row.lines_seen,
        evaluation=row.evaluation,
        created_at=row.created_at,
        updated_at=row.updated_at,
        decided_at=row.decided_at,
        decided_by=row.decided_by,
    )
