"""The tables of what people decide."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, MetaData, String, Text, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class UtcTime(TypeDecorator[datetime]):
    """Aware times, kept as UTC also where the database knows no zones (SQLite)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return (value if value.tzinfo else value.replace(tzinfo=UTC)) if value else None


class Table(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class SourceRow(Table):
    """A configured source. `document` is what its configuration type reads; `position` orders the list."""

    __tablename__ = "sources"

    id: Mapped[str] = mapped_column(String(128), primary_key=True)
    position: Mapped[int]
    document: Mapped[dict[str, Any]] = mapped_column(JSON)
    enabled: Mapped[bool]
    origin: Mapped[str] = mapped_column(String(32))
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    updated_at: Mapped[datetime] = mapped_column(UtcTime)


class ProposalRow(Table):
    """A format proposed for lines that none explained. `document` is the text of its file."""

    __tablename__ = "format_proposals"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    state: Mapped[str] = mapped_column(String(16), index=True)
    source: Mapped[str] = mapped_column(String(128))
    path: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(String(128))
    document: Mapped[str] = mapped_column(Text)
    lines: Mapped[list[str]] = mapped_column(JSON)
    lines_seen: Mapped[int]
    evaluation: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    updated_at: Mapped[datetime] = mapped_column(UtcTime)
    decided_at: Mapped[datetime | None] = mapped_column(UtcTime)
    decided_by: Mapped[str | None] = mapped_column(String(128))


class ExceptionRow(Table):
    """Events that a rule (or any, where it is None) must not speak of. `condition` is a query."""

    __tablename__ = "rule_exceptions"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    rule_id: Mapped[str | None] = mapped_column(String(200))
    condition: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    finding_id: Mapped[str | None] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    created_by: Mapped[str] = mapped_column(String(128))
    expires_at: Mapped[datetime] = mapped_column(UtcTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime)
    ended_by: Mapped[str | None] = mapped_column(String(128))


class MuteRow(Table):
    """Findings of a rule, of one entity or of all, that nobody wants to hear of for a while."""

    __tablename__ = "mutes"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    rule_id: Mapped[str] = mapped_column(String(200))
    entity_column: Mapped[str | None] = mapped_column(String(128))
    entity_value: Mapped[str | None] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    created_by: Mapped[str] = mapped_column(String(128))
    until: Mapped[datetime] = mapped_column(UtcTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime)
    ended_by: Mapped[str | None] = mapped_column(String(128))


class RuleStateRow(Table):
    """Whether a rule is used, where somebody decided that."""

    __tablename__ = "rule_states"

    rule_id: Mapped[str] = mapped_column(String(200), primary_key=True)
    enabled: Mapped[bool]
    reason: Mapped[str] = mapped_column(Text)
    changed_at: Mapped[datetime] = mapped_column(UtcTime)
    changed_by: Mapped[str] = mapped_column(String(128))


class TriageRow(Table):
    """What became of a finding or an incident."""

    __tablename__ = "triage"

    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    subject: Mapped[str] = mapped_column(String(200), primary_key=True)
    status: Mapped[str] = mapped_column(String(32))
    note: Mapped[str] = mapped_column(Text)
    changed_at: Mapped[datetime] = mapped_column(UtcTime)
    changed_by: Mapped[str] = mapped_column(String(128))


class AdviceRow(Table):
    """What a language model said about a finding or an incident. `tokens` is 0 where an earlier answer was used again."""

    __tablename__ = "model_advice"

    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    subject: Mapped[str] = mapped_column(String(250), primary_key=True)
    key: Mapped[str] = mapped_column(String(64), index=True)
    model: Mapped[str] = mapped_column(String(200))
    asked_at: Mapped[datetime] = mapped_column(UtcTime)
    kept_at: Mapped[datetime] = mapped_column(UtcTime)
    tokens: Mapped[int]
    document: Mapped[dict[str, Any]] = mapped_column(JSON)


class AuditRow(Table):
    """Who decided what, and when. Rows are only added, and the oldest forgotten."""

    __tablename__ = "audit_trail"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(UtcTime)
    who: Mapped[str] = mapped_column(String(128))
    action: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(200))
    details: Mapped[dict[str, Any]] = mapped_column(JSON)
