"""Exceptions and mutes: what a rule must not speak of, and what nobody wants to hear of for a while.

Both end by themselves: there is none without an end, and none longer than `LONGEST`.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import RLock
from typing import Final

from sqlalchemy import Engine, delete, func, select
from sqlalchemy.orm import Session

from vedette.configdb.audit import note
from vedette.configdb.tables import ExceptionRow, MuteRow
from vedette.model.clock import Clock
from vedette.model.errors import SettingsError

LONGEST: Final = timedelta(days=366)
USUAL: Final = timedelta(days=30)
MOST_ACTIVE: Final = 1_000
"""Exceptions, and mutes, that may hold at a time."""
MOST_ENDED: Final = 5_000
"""Of each that have ended; the oldest are forgotten, the trail still tells of them."""


@dataclass(frozen=True, slots=True)
class RuleException:
    """Events that fit `condition` (a query) make no findings of the rule; None is any rule."""

    id: str
    rule_id: str | None
    condition: str
    reason: str
    created_at: datetime
    created_by: str
    expires_at: datetime
    ended_at: datetime | None = None
    ended_by: str | None = None
    finding_id: str | None = None

    def is_active(self, now: datetime) -> bool:
        return self.ended_at is None and now < self.expires_at


@dataclass(frozen=True, slots=True)
class Mute:
    """Findings of the rule are made and kept, but shown to nobody who does not ask for them. `entity_column` and
    `entity_value` narrow it to one entity."""

    id: str
    rule_id: str
    entity_column: str | None
    entity_value: str | None
    reason: str
    created_at: datetime
    created_by: str
    until: datetime
    ended_at: datetime | None = None
    ended_by: str | None = None

    def is_active(self, now: datetime) -> bool:
        return self.ended_at is None and now < self.until

    def covers(self, rule_id: str, entity: Mapping[str, str]) -> bool:
        if rule_id != self.rule_id:
            return False
        return self.entity_column is None or entity.get(self.entity_column) == self.entity_value


class ExceptionBook:
    """Thread-safe; every method blocks, every change is one durable transaction with its entry in the trail.

    What holds now is served from memory: this process is the only one that writes.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock
        self._lock = RLock()
        with Session(engine) as session:
            exceptions = session.scalars(select(ExceptionRow).where(ExceptionRow.ended_at.is_(None)))
            self._open = {row.id: _exception(row) for row in exceptions}
            mutes = session.scalars(select(MuteRow).where(MuteRow.ended_at.is_(None)))
            self._open_mutes = {row.id: _mute(row) for row in mutes}

    def active(self) -> list[RuleException]:
        """The exceptions that hold now, oldest first."""
        now = self._clock.now()
        with self._lock:
            held = [one for one in self._open.values() if one.is_active(now)]
        return sorted(held, key=lambda one: (one.created_at, one.id))

    def active_mutes(self) -> list[Mute]:
        """The mutes that hold now, oldest first."""
        now = self._clock.now()
        with self._lock:
            held = [one for one in self._open_mutes.values() if one.is_active(now)]
        return sorted(held, key=lambda one: (one.created_at, one.id))

    def add(
        self,
        *,
        rule_id: str | None,
        condition: str,
        reason: str,
        expires_at: datetime | None,
        by: str,
        finding_id: str | None = None,
    ) -> RuleException:
        """Make an exception; without an end it holds 30 days. Raises SettingsError."""
        now = self._clock.now()
        end = _checked_end(expires_at, now, "expires_at")
        with self._lock:
            _check_number(len(self.active()), "exceptions")
            row = ExceptionRow(
                id=secrets.token_hex(6), rule_id=rule_id, condition=condition, reason=reason, finding_id=finding_id,
                created_at=now, created_by=by, expires_at=end, ended_at=None, ended_by=None,
            )  # fmt: skip
            made = _exception(row)
            with Session(self._engine) as session, session.begin():
                session.add(row)
                note(
                    session, at=now, who=by, action="exception-created", subject=made.id, rule_id=rule_id,
                    condition=condition, reason=reason, expires_at=end.isoformat(), finding_id=finding_id,
                )  # fmt: skip
                _forget_ended(session, ExceptionRow)
            self._open[made.id] = made
            return made

    def end(self, identifier: str, *, by: str) -> RuleException | None:
        """End an exception now; one that has ended stays as it is. None when there is none."""
        with self._lock, Session(self._engine, expire_on_commit=False) as session, session.begin():
            row = session.get(ExceptionRow, identifier)
            if row is None:
                return None
            if row.ended_at is None:
                row.ended_at, row.ended_by = self._clock.now(), by
                note(
                    session, at=row.ended_at, who=by, action="exception-ended", subject=identifier, rule_id=row.rule_id
                )
            self._open.pop(identifier, None)
            return _exception(row)

    def get(self, identifier: str) -> RuleException | None:
        with Session(self._engine) as session:
            row = session.get(ExceptionRow, identifier)
            return _exception(row) if row is not None else None

    def page(self, *, is_active: bool | None = None, limit: int = 100, after: str | None = None) -> list[RuleException]:
        """The newest first; `after` is the id of the last one of the page before."""
        query = select(ExceptionRow).order_by(ExceptionRow.created_at.desc(), ExceptionRow.id.desc()).limit(limit)
        if is_active is not None:
            holds = ExceptionRow.ended_at.is_(None) & (ExceptionRow.expires_at > self._clock.now())
            query = query.where(holds if is_active else ~holds)
        with Session(self._engine) as session:
            if after is not None:
                last = session.get(ExceptionRow, after)
                if last is None:
                    return []
                is_older = ExceptionRow.created_at < last.created_at
                query = query.where(
                    is_older | ((ExceptionRow.created_at == last.created_at) & (ExceptionRow.id < last.id))
                )
            return [_exception(row) for row in session.scalars(query)]

    def mute(
        self, *, rule_id: str, entity: tuple[str, str] | None, reason: str, until: datetime | None, by: str
    ) -> Mute:
        """Mute a rule, or one entity of it; without an end it holds 30 days. Raises SettingsError."""
        now = self._clock.now()
        end = _checked_end(until, now, "until")
        column, value = entity or (None, None)
        with self._lock:
            _check_number(len(self.active_mutes()), "mutes")
            row = MuteRow(
                id=secrets.token_hex(6), rule_id=rule_id, entity_column=column, entity_value=value, reason=reason,
                created_at=now, created_by=by, until=end, ended_at=None, ended_by=None,
            )  # fmt: skip
            made = _mute(row)
            with Session(self._engine) as session, session.begin():
                session.add(row)
                note(
                    session, at=now, who=by, action="mute-created", subject=made.id, rule_id=rule_id,
                    entity=dict([entity]) if entity else None, reason=reason, until=end.isoformat(),
                )  # fmt: skip
                _forget_ended(session, MuteRow)
            self._open_mutes[made.id] = made
            return made

    def unmute(self, identifier: str, *, by: str) -> Mute | None:
        """End a mute now; one that has ended stays as it is. None when there is none."""
        with self._lock, Session(self._engine, expire_on_commit=False) as session, session.begin():
            row = session.get(MuteRow, identifier)
            if row is None:
                return None
            if row.ended_at is None:
                row.ended_at, row.ended_by = self._clock.now(), by
                note(session, at=row.ended_at, who=by, action="mute-ended", subject=identifier, rule_id=row.rule_id)
            self._open_mutes.pop(identifier, None)
            return _mute(row)


def _checked_end(end: datetime | None, now: datetime, field: str) -> datetime:
    if end is None:
        return now + USUAL
    if end.tzinfo is None:
        raise SettingsError(f"{field}: {end.isoformat()} names no zone; add Z or an offset like +01:00.", field=field)
    if end <= now:
        raise SettingsError(f"{field}: {end.isoformat()} is past; name a time to come.", field=field)
    if end > now + LONGEST:
        raise SettingsError(
            f"{field}: {end.isoformat()} is more than {LONGEST.days} days ahead; name an earlier time, and renew it then.",
            field=field,
        )
    return end


def _check_number(active: int, what: str) -> None:
    if active >= MOST_ACTIVE:
        raise SettingsError(f"there are {active:,} {what} that hold already; end some first.")


def _forget_ended(session: Session, table: type[ExceptionRow] | type[MuteRow]) -> None:
    session.flush()
    ended = select(func.count()).select_from(table).where(table.ended_at.is_not(None))
    surplus = int(session.scalar(ended) or 0) - MOST_ENDED
    if surplus > 0:
        oldest = select(table.id).where(table.ended_at.is_not(None)).order_by(table.created_at).limit(surplus)
        session.execute(delete(table).where(table.id.in_(oldest)))


def _exception(row: ExceptionRow) -> RuleException:
    return RuleException(
        id=row.id, rule_id=row.rule_id, condition=row.condition, reason=row.reason, created_at=row.created_at,
        created_by=row.created_by, expires_at=row.expires_at, ended_at=row.ended_at, ended_by=row.ended_by,
        finding_id=row.finding_id,
    )  # fmt: skip


def _mute(row: MuteRow) -> Mute:
    return Mute(
        id=row.id, rule_id=row.rule_id, entity_column=row.entity_column, entity_value=row.entity_value,
        reason=row.reason, created_at=row.created_at, created_by=row.created_by, until=row.until,
        ended_at=row.ended_at, ended_by=row.ended_by,
    )  # fmt: skip
