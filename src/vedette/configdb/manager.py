"""What people decided about sources: kept, checked, and told to those who act on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from threading import RLock
from typing import Any, Generic, Literal, TypeVar

import structlog
from pydantic import BaseModel, TypeAdapter, ValidationError
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from vedette.configdb.tables import SourceRow
from vedette.model.clock import Clock
from vedette.model.errors import SettingsError

log = structlog.get_logger(__name__)

Document = TypeVar("Document", bound=BaseModel)
Kind = Literal["added", "changed", "removed"]


@dataclass(frozen=True, slots=True)
class Configured(Generic[Document]):
    """One entry. `origin` says who made it: `user`, `discovery`, `command-line`, …"""

    id: str
    document: Document
    is_enabled: bool
    origin: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Change(Generic[Document]):
    """What happened to an entry; `now` is None when it was removed, `before` when it was added."""

    kind: Kind
    id: str
    before: Configured[Document] | None
    now: Configured[Document] | None


class ConfigManager(Generic[Document]):
    """The configured sources, in order. Thread-safe; every method blocks.

    `adapter` reads the documents; they have a field `id` and may have `enabled`. Every change is one durable
    transaction; listeners are called after it, one change at a time, in the order of the changes, in the thread
    that made it. Reads are served from memory: this process is the only one that writes.
    """

    def __init__(self, engine: Engine, adapter: TypeAdapter[Document], clock: Clock) -> None:
        self.unreadable: dict[str, str] = {}
        """Ids of kept entries that are not valid any more, and why; they stay in the database."""
        self._engine = engine
        self._adapter = adapter
        self._clock = clock
        self._lock = RLock()
        self._listeners: list[Callable[[Change[Document]], None]] = []
        self._entries: dict[str, Configured[Document]] = self._load()

    def listen(self, listener: Callable[[Change[Document]], None]) -> None:
        """Call `listener` after every change."""
        self._listeners.append(listener)

    def list(self) -> list[Configured[Document]]:
        with self._lock:
            return list(self._entries.values())

    def get(self, identifier: str) -> Configured[Document] | None:
        with self._lock:
            return self._entries.get(identifier)

    def add(self, document: Mapping[str, Any] | Document, *, origin: str = "user") -> Configured[Document]:
        """Keep a new entry. Raises SettingsError: not valid, or the id is taken."""
        valid = self._validate(document)
        identifier = _id_of(valid)
        now = self._clock.now()
        with self._lock:
            if identifier in self._entries or identifier in self.unreadable:
                raise SettingsError(f"id: there is a source {identifier!r} already; choose another id.", field="id")
            entry = Configured(identifier, valid, _is_enabled(valid), origin, now, now)
            with Session(self._engine) as session, session.begin():
                last = session.scalar(select(func.max(SourceRow.position)))
                session.add(self._row(entry, position=0 if last is None else last + 1))
            self._settle(Change("added", identifier, None, entry))
        return entry

    def change(self, identifier: str, changes: Mapping[str, Any]) -> Configured[Document]:
        """Replace the named fields. Raises SettingsError: not valid, or no such entry; the id cannot change."""
        with self._lock:
            before = self._known(identifier)
            merged = self._adapter.dump_python(before.document, mode="json") | dict(changes)
            if merged.get("id") != identifier:
                raise SettingsError(f"id: the id of {identifier!r} cannot change; add a new source.", field="id")
            return self._replace(before, self._validate(merged))

    def set_enabled(self, identifier: str, *, is_enabled: bool) -> Configured[Document]:
        """Switch an entry on or off; nothing happens when it is so already."""
        with self._lock:
            before = self._known(identifier)
            return before if before.is_enabled == is_enabled else self.change(identifier, {"enabled": is_enabled})

    def remove(self, identifier: str) -> None:
        """Forget an entry, also an unreadable one. Raises SettingsError when there is none."""
        with self._lock:
            is_unreadable = identifier in self.unreadable
            before = None if is_unreadable else self._known(identifier)
            with Session(self._engine) as session, session.begin():
                session.delete(session.get_one(SourceRow, identifier))
            if is_unreadable:
                del self.unreadable[identifier]
            else:
                self._settle(Change("removed", identifier, before, None))

    def close(self) -> None:
        """Release the database."""
        self._engine.dispose()

    def _replace(self, before: Configured[Document], document: Document) -> Configured[Document]:
        is_enabled, now = _is_enabled(document), self._clock.now()
        entry = Configured(before.id, document, is_enabled, before.origin, before.created_at, now)
        with Session(self._engine) as session, session.begin():
            row = session.get_one(SourceRow, before.id)
            row.document = self._adapter.dump_python(document, mode="json")
            row.enabled, row.updated_at = is_enabled, now
        self._settle(Change("changed", before.id, before, entry))
        return entry

    def _settle(self, change: Change[Document]) -> None:
        """Remember a change that is durable, and tell it."""
        if change.now is None:
            del self._entries[change.id]
        else:
            self._entries[change.id] = change.now
        for listener in self._listeners:
            try:
                listener(change)
            except Exception:
                log.exception("configuration_listener_failed", kind=change.kind, id=change.id)

    def _known(self, identifier: str) -> Configured[Document]:
        entry = self._entries.get(identifier)
        if entry is None:
            raise SettingsError(f"id: there is no source {identifier!r}.", field="id")
        return entry

    def _validate(self, document: Mapping[str, Any] | Document) -> Document:
        try:
            return self._adapter.validate_python(document)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            field = ".".join(str(part) for part in first["loc"]) or None
            message = first["msg"].removeprefix("Value error, ")
            raise SettingsError(f"{field}: {message}" if field else message, field=field) from error

    def _row(self, entry: Configured[Document], *, position: int) -> SourceRow:
        return SourceRow(
            id=entry.id,
            position=position,
            document=self._adapter.dump_python(entry.document, mode="json"),
            enabled=entry.is_enabled,
            origin=entry.origin,
            created_at=entry.created_at,
            updated_at=entry.updated_at,
        )

    def _load(self) -> dict[str, Configured[Document]]:
        with Session(self._engine) as session:
            rows = session.scalars(select(SourceRow).order_by(SourceRow.position)).all()
            return {entry.id: entry for entry in map(self._read, rows) if entry is not None}

    def _read(self, row: SourceRow) -> Configured[Document] | None:
        try:
            document = self._validate(row.document)
        except SettingsError as error:
            log.error("configured_source_unreadable", id=row.id, error=str(error))
            self.unreadable[row.id] = str(error)
            return None
        return Configured(row.id, document, row.enabled, row.origin, row.created_at, row.updated_at)


def _is_enabled(document: BaseModel) -> bool:
    return bool(getattr(document, "enabled", True))


def _id_of(document: BaseModel) -> str:
    identifier = getattr(document, "id", None)
    if not isinstance(identifier, str):
        raise SettingsError("id: it is missing; give the source a short name.", field="id")
    return identifier
