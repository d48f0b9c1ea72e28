"""What a language model said about findings and incidents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Engine, delete, func, select
from sqlalchemy.orm import Session

from vedette.configdb.tables import AdviceRow
from vedette.model.advice import AdvisedKind, Claim, ModelAdvice
from vedette.model.clock import Clock

MOST_KEPT: Final = 5_000
"""Answers; the oldest are forgotten."""
AN_ANSWER_HOLDS: Final = timedelta(days=7)
"""For equal questions."""


class AdviceBook:
    """Thread-safe; blocks. What is older than `keep_for` is not shown and forgotten: answers quote events."""

    def __init__(self, engine: Engine, clock: Clock, *, keep_for: timedelta | None = None) -> None:
        self._engine = engine
        self._clock = clock
        self._keep_for = keep_for

    def of(self, kind: AdvisedKind, subjects: Sequence[str]) -> Mapping[str, ModelAdvice]:
        """What was said about these; the others are left out."""
        query = select(AdviceRow).where(AdviceRow.kind == kind, AdviceRow.subject.in_(subjects))
        if self._keep_for is not None:
            query = query.where(AdviceRow.asked_at >= self._clock.now() - self._keep_for)
        with Session(self._engine) as session:
            return {row.subject: _advice(row) for row in session.scalars(query)}

    def with_key(self, key: str, model: str) -> ModelAdvice | None:
        """The latest answer of this model to an equal question that still holds."""
        query = (
            select(AdviceRow)
            .where(AdviceRow.key == key, AdviceRow.model == model)
            .where(AdviceRow.asked_at > self._clock.now() - AN_ANSWER_HOLDS)
            .order_by(AdviceRow.asked_at.desc())
            .limit(1)
        )
        with Session(self._engine) as session:
            row = session.scalar(query)
            return _advice(row) if row is not None else None

    def holds(self, kind: AdvisedKind, subject: str, key: str, model: str) -> bool:
        """Whether an answer of this model to this question is kept, however old."""
        with Session(self._engine) as session:
            row = session.get(AdviceRow, (kind, subject))
            return row is not None and (row.key, row.model) == (key, model)

    def keep(self, kind: AdvisedKind, subject: str, key: str, advice: ModelAdvice, *, tokens: int) -> None:
        """In the place of what was said before. `tokens` is 0 where the answer is one that was there."""
        document = {name: value for name, value in asdict(advice).items() if name not in ("model", "asked_at")}
        with Session(self._engine) as session, session.begin():
            row = session.get(AdviceRow, (kind, subject)) or AdviceRow(kind=kind, subject=subject)
            row.key, row.model, row.asked_at, row.tokens = key, advice.model, advice.asked_at, tokens
            row.kept_at, row.document = self._clock.now(), document
            session.add(row)
            session.flush()
            self._forget(session)

    def spent_since(self, time: datetime) -> Sequence[tuple[datetime, int]]:
        """When models answered, and the tokens of each answer."""
        query = select(AdviceRow.asked_at, AdviceRow.tokens).where(AdviceRow.asked_at > time, AdviceRow.tokens > 0)
        with Session(self._engine) as session:
            return [(asked_at, tokens) for asked_at, tokens in session.execute(query)]

    def _forget(self, session: Session) -> None:
        if self._keep_for is not None:
            session.execute(delete(AdviceRow).where(AdviceRow.asked_at < self._clock.now() - self._keep_for))
        surplus = int(session.scalar(select(func.count()).select_from(AdviceRow)) or 0) - MOST_KEPT
        if surplus > 0:
            oldest = select(AdviceRow.kind, AdviceRow.subject).order_by(AdviceRow.kept_at).limit(surplus)
            for kind, subject in session.execute(oldest).all():
                session.execute(delete(AdviceRow).where(AdviceRow.kind == kind, AdviceRow.subject == subject))


def _advice(row: AdviceRow) -> ModelAdvice:
    said = row.document
    return ModelAdvice(
        model=row.model,
        asked_at=row.asked_at,
        about=said["about"],
        explanation=_claims(said["explanation"]),
        causes=_claims(said["causes"]),
        next_steps=_claims(said["next_steps"]),
        dropped=said["dropped"],
    )


def _claims(said: Sequence[Mapping[str, Any]]) -> tuple[Claim, ...]:
    return tuple(Claim(one["text"], tuple(one["event_ids"]), one["quote"]) for one in said)
