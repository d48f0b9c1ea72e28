"""Which rules people switched on or off, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from threading import RLock
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from vedette.configdb.audit import note
from vedette.configdb.tables import RuleStateRow
from vedette.model.clock import Clock


@dataclass(frozen=True, slots=True)
class RuleState:
    """What somebody decided about a rule."""

    rule_id: str
    is_enabled: bool
    reason: str
    changed_at: datetime
    changed_by: str


class RuleStates:
    """Thread-safe; changes block and are durable with their entry in the trail, reads are served from memory."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._lock = RLock()
        with Session(engine) as session:
            self._states = {row.rule_id: _state(row) for row in session.scalars(select(RuleStateRow))}

    def all(self) -> Mapping[str, RuleState]:
        with self._lock:
            return dict(self._states)

    def get(self, rule_id: str) -> RuleState | None:
        return self._states.get(rule_id)

    def set(self, rule_id: str, *, is_enabled: bool, reason: str, by: str) -> RuleState:
        """Switch a rule on or off."""
        now = self._clock.now()
        state = RuleState(rule_id, is_enabled, reason, now, by)
        with self._lock:
            with Session(self._engine) as session, session.begin():
                row = session.get(RuleStateRow, rule_id) or RuleStateRow(rule_id=rule_id)
                row.enabled, row.reason, row.changed_at, row.changed_by = is_enabled, reason, now, by
                session.add(row)
                action = "rule-enabled" if is_enabled else "rule-disabled"
                note(session, at=now, who=by, action=action, subject=rule_id, reason=reason)
            self._states[rule_id] = state
        return state

    def note(self, action: str, subject: str, *, by: str, **details: Any) -> None:
        """An entry in the trail for a change of rules that is kept elsewhere: a file, a pack."""
        with Session(self._engine) as session, session.begin():
            note(session, at=self._clock.now(), who=by, action=action, subject=subject, **details)


def _state(row: RuleStateRow) -> RuleState:
    return RuleState(row.rule_id, row.enabled, row.reason, row.changed_at, row.changed_by)
