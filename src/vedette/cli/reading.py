"""Reading a data folder from a command: through its running server, or by opening the store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

import httpx

from vedette.model.clock import SystemClock
from vedette.model.errors import QueryError, SettingsError, StoreLocked, VedetteError
from vedette.model.query import parse_query, widened
from vedette.settings import Settings

if TYPE_CHECKING:
    from vedette.store import EventStore, Row

_PAGE_ROWS = 1_000
_TIMEOUT = httpx.Timeout(60.0, connect=5.0)


class EventReader(Protocol):
    """What a command can ask of stored events."""

    def rows(self, query: str, *, limit: int, oldest_first: bool) -> Iterator[Row]:
        """Matching events, at most `limit` (0: all)."""
        ...


class StoreReader:
    """Reads an open store."""

    def __init__(self, store: EventStore) -> None:
        self._store = store

    def rows(self, query: str, *, limit: int, oldest_first: bool) -> Iterator[Row]:
        parsed = widened(parse_query(query, now=datetime.now(UTC)), "template.id", self._template_ids)
        left = limit or None
        cursor: str | None = None
        while left is None or left > 0:
            size = _PAGE_ROWS if left is None else min(left, _PAGE_ROWS)
            page = self._store.search(parsed, limit=size, cursor=cursor, newest_first=not oldest_first)
            yield from page.rows
            left = None if left is None else left - len(page.rows)
            cursor = page.cursor
            if cursor is None:
                return

    def _template_ids(self, identifier: str) -> set[str]:
        """Every id the template has had."""
        from vedette.formats.templates import TemplateMiner

        templates = TemplateMiner()
        templates.restore(self._store.state())
        return templates.aliases(identifier)


class ServerReader:
    """Reads over the public API of a running server."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def rows(self, query: str, *, limit: int, oldest_first: bool) -> Iterator[Row]:
        parameters = {"query": query, "order": "oldest" if oldest_first else "newest"}
        try:
            yield from self._export(parameters) if limit == 0 else self._pages(parameters, limit)
        except httpx.HTTPError as error:
            raise StoreLocked(
                f"the server at {self._client.base_url} does not answer ({error}); is it stopping?"
            ) from error

    def _pages(self, parameters: dict[str, str], limit: int) -> Iterator[Row]:
        cursor: str | None = None
        while limit > 0:
            wanted = parameters | {"limit": str(min(limit, _PAGE_ROWS))} | ({"cursor": cursor} if cursor else {})
            answer = self._client.get("/api/v1/events", params=wanted)
            if answer.status_code != httpx.codes.OK:
                raise _error_of(answer, parameters["query"])
            page = answer.json()
            yield from page["rows"]
            limit -= len(page["rows"])
            cursor = page["cursor"]
            if cursor is None:
                return

    def _export(self, parameters: dict[str, str]) -> Iterator[Row]:
        with self._client.stream("GET", "/api/v1/events/export", params=parameters) as answer:
            if answer.status_code != httpx.codes.OK:
                answer.read()
                raise _error_of(answer, parameters["query"])
            for line in answer.iter_lines():
                yield json.loads(line)


@contextmanager
def open_reader(settings: Settings) -> Iterator[EventReader]:
    """A reader of the data folder, whoever owns it at the moment."""
    from vedette.store import DataFolder, DuckDbStore, owner_of

    owner = owner_of(settings.data_dir)
    if owner is not None and owner.address:
        with httpx.Client(base_url=owner.address, timeout=_TIMEOUT) as client:
            yield ServerReader(client)
        return
    if owner is None and not (settings.data_dir / "events.duckdb").is_file():
        raise SettingsError(
            f"{settings.data_dir} holds no events yet; start `vedette serve`, or name another folder with --data-dir"
        )
    with DataFolder(settings.data_dir) as folder:
        store = DuckDbStore.open(folder.database_path, clock=SystemClock())
        try:
            yield StoreReader(store)
        finally:
            store.close()


def _error_of(answer: httpx.Response, query: str) -> VedetteError:
    try:
        problem: dict[str, Any] = answer.json()
    except ValueError:
        problem = {}
    detail = str(problem.get("detail") or problem.get("title") or f"the server answered {answer.status_code}")
    if "position" in problem:
        return QueryError(detail, text=query, position=int(problem["position"]), suggestion=problem.get("suggestion"))
    return StoreLocked(f"the server refused: {detail}")
