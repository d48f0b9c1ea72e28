"""Events: search, count, look at one."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Path, Query
from starlette.responses import Response, StreamingResponse

from vedette.api.context import COMMON, Cursor, Has, QueryText, Threads, answer, parsed, problems
from vedette.api.guard import requires
from vedette.api.problems import Refused, not_found
from vedette.api.schemas import ContextPage, EventPage, EventRow, Histogram, TopValues
from vedette.model.events import COLUMN_BY_NAME
from vedette.model.rows import iso_utc
from vedette.store.contract import Page

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
    page = await threads.run(services.store.search, wanted, limit=limit, cursor=cursor, newest_first=order == "newest")
    return answer({"rows": page.rows, "cursor": page.cursor})


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
    width = _interval(interval)
    rows = await threads.run(services.store.histogram, parsed(query, services), interval=width)
    if len(rows) > _MAX_BUCKETS:
        detail = f"interval: {interval} makes {len(rows)} buckets, {_MAX_BUCKETS} are the limit; use a longer one."
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, detail, field="interval", value=interval)
    buckets = [{**row, "time": row["time"] if isinstance(row["time"], str) else iso_utc(row["time"])} for row in rows]
    return answer({"interval_seconds": width.total_seconds(), "buckets": buckets})


@router.get("/top", dependencies=[Depends(requires("events:read"))], response_model=TopValues)
async def top_values(
    services: Has,
    threads: Threads,
    column: Annotated[str, Query(max_length=200, description="A column or its short name", examples=["source.ip"])],
    query: QueryText = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 10,
) -> Response:
    """The most frequent values of a column among the events that match."""
    known = COLUMN_BY_NAME.get(column)
    if known is None or known.name == "fields":
        names = ", ".join(sorted({each.name for each in COLUMN_BY_NAME.values()} - {"fields"}))
        detail = f"column: there is no column {column!r}; there are {names}."
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, detail, field="column", value=column)
    rows = await threads.run(services.store.top, parsed(query, services), known.name, limit=limit)
    return answer({"column": known.name, "values": rows})


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

    async def read(cursor: str | None) -> Page:
        return await threads.run(
            services.store.search, wanted, limit=_EXPORT_PAGE, cursor=cursor, newest_first=order == "newest"
        )

    async def pages(page: Page) -> AsyncIterator[str]:
        while True:
            yield "".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in page.rows)
            if page.cursor is None:
                return
            page = await read(page.cursor)

    return StreamingResponse(
        pages(await read(None)),
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
    row = await threads.run(services.store.get, event_id)
    if row is None:
        raise not_found("event", event_id, field="event_id")
    return answer(row)


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
    rows = await threads.run(services.store.context, event_id, before=before, after=after)
    if not rows:
        raise not_found("event", event_id, field="event_id")
    return answer({"rows": rows})


def _interval(text: str) -> timedelta:
    match = re.fullmatch(r"([0-9]+)([smhd])", text)
    assert match is not None
    seconds = int(match[1]) * _SECONDS[match[2]]
    if not 1 <= seconds <= 366 * 86400:
        detail = f"interval: {text} is not between 1s and 366d."
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, detail, field="interval", value=text)
    return timedelta(seconds=seconds)
