"""Events: search, count, look at one."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from difflib import get_close_matches
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Path, Query
from starlette.responses import Response, StreamingResponse

from vedette.api.context import COMMON, Cursor, Has, QueryText, Threads, answer, encoded, parsed, problems
from vedette.api.guard import requires
from vedette.api.problems import Refused, not_found
from vedette.api.schemas import ContextPage, EventPage, EventRow, Histogram, TopValues
from vedette.model.events import COLUMN_BY_NAME

router = APIRouter(prefix="/api/v1/events", tags=["events"], responses=COMMON | problems(400, 422, 503))

Order = Annotated[Literal["newest", "oldest"], Query(description="Which come first")]
EventId = Annotated[str, Path(min_length=18, max_length=32, examples=["01a4f2c66e0b91d7-1f40"])]

_MAX_BUCKETS: Final = 20_000
_EXPORT_PAGE: Final = 5_000
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@router.get("", dependencies=[Depends(requires("events:read"))], response_model=EventPage)
async def search_events(
    *,
    services: Has,
    threads: Threads,
    query: QueryText = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Cursor = None,
    order: Order = "newest",
) -> Response:
    """A page of the events that match."""
    wanted = parsed(query, services)

    def read() -> dict[str, Any]:
        page = services.store.search(wanted, limit=limit, cursor=cursor, newest_first=order == "newest")
        return {"rows": page.rows, "cursor": page.cursor}

    return await answer(threads, read)


@router.get("/histogram", dependencies=[Depends(requires("events:read"))], response_model=Histogram)
async def histogram(
    services: Has,
    threads: Threads,
    query: QueryText = "",
    interval: Annotated[
        str, Query(max_length=12, pattern=r"^[0-9]{1,6}[smhd]$", description="A number with s, m, h or d")
    ] = "1m",
) -> Response:
    """How many events match, by time and severity."""
    wanted, width = parsed(query, services), _interval(interval)

    def read() -> dict[str, Any]:
        rows = services.store.histogram(wanted, interval=width)
        if len(rows) > _MAX_BUCKETS:
            detail = f"interval: {interval} makes {len(rows)} buckets; at most {_MAX_BUCKETS}, use a longer one."
            raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, detail, field="interval", value=interval)
        return {"interval_seconds": width.total_seconds(), "buckets": rows}

    return await answer(threads, read)


@router.get("/top", dependencies=[Depends(requires("events:read"))], response_model=TopValues)
async def top_values(
    services: Has,
    threads: Threads,
    column: Annotated[str, Query(max_length=200, description="A column or its short name", examples=["source.ip"])],
    query: QueryText = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 10,
) -> Response:
    """The most frequent values of a column among the events that match."""
    wanted, name = parsed(query, services), _full_name(column)
    return await answer(threads, lambda: {"column": name, "values": services.store.top(wanted, name, limit=limit)})


@router.get(
    "/export",
    dependencies=[Depends(requires("events:export"))],
    response_class=StreamingResponse,
    responses={200: {"content": {"application/x-ndjson": {"schema": {"type": "string"}}}}},
)
async def export_events(
    services: Has, threads: Threads, query: QueryText = "", order: Order = "newest"
) -> StreamingResponse:
    """Every event that matches, one JSON object a line. An export that fails half-way breaks off without its end."""
    wanted = parsed(query, services)

    def read(cursor: str | None) -> tuple[bytes, str | None]:
        page = services.store.search(wanted, limit=_EXPORT_PAGE, cursor=cursor, newest_first=order == "newest")
        return b"".join(encoded(row) + b"\n" for row in page.rows), page.cursor

    async def pages(text: bytes, cursor: str | None) -> AsyncIterator[bytes]:
        yield text
        while cursor is not None:
            text, cursor = await threads.run(read, cursor)
            yield text

    return StreamingResponse(
        pages(*await threads.run(read, None)),
        media_type="application/x-ndjson",
        headers={"Content-Disposition": 'attachment; filename="events.ndjson"'},
    )


@router.get(
    "/{event_id}",
    dependencies=[Depends(requires("events:read"))],
    response_model=EventRow,
    responses=problems(404),
)
async def get_event(services: Has, threads: Threads, event_id: EventId) -> Response:
    """One event."""

    def read() -> dict[str, Any]:
        row = services.store.get(event_id)
        if row is None:
            raise not_found("event", event_id, field="event_id")
        return row

    return await answer(threads, read)


@router.get(
    "/{event_id}/context",
    dependencies=[Depends(requires("events:read"))],
    response_model=ContextPage,
    responses=problems(404),
)
async def event_context(
    services: Has,
    threads: Threads,
    event_id: EventId,
    before: Annotated[int, Query(ge=0, le=200)] = 10,
    after: Annotated[int, Query(ge=0, le=200)] = 10,
) -> Response:
    """The event with the records before and after it in the same file."""

    def read() -> dict[str, Any]:
        rows = services.store.context(event_id, before=before, after=after)
        if not rows:
            raise not_found("event", event_id, field="event_id")
        return {"rows": rows}

    return await answer(threads, read)


def _full_name(column: str) -> str:
    known = COLUMN_BY_NAME.get(column)
    if known is not None and known.name != "fields":
        return known.name
    if column.startswith("fields.") and column != "fields.":
        return column
    near = get_close_matches(column, COLUMN_BY_NAME, n=1)
    hint = f"did you mean {near[0]}?" if near else "write fields.NAME for what has no column."
    detail = f"column: there is no column {column!r}; {hint}"
    suggestion = near[0] if near else None
    raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, detail, field="column", value=column, suggestion=suggestion)


def _interval(text: str) -> timedelta:
    match = re.fullmatch(r"([0-9]+)([smhd])", text)
    assert match is not None
    seconds = int(match[1]) * _SECONDS[match[2]]
    if not 1 <= seconds <= 366 * 86400:
        detail = f"interval: {text} is not between 1s and 366d."
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, detail, field="interval", value=text)
    return timedelta(seconds=seconds)
