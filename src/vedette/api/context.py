"""What routes find at the application."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import Depends, Query
from starlette.requests import HTTPConnection
from starlette.responses import Response

from vedette.api.problems import MEDIA_TYPE
from vedette.api.services import Services
from vedette.api.threads import StoreThreads
from vedette.model import query


def _services(connection: HTTPConnection) -> Services:
    services: Services = connection.app.state.services
    return services


def _threads(connection: HTTPConnection) -> StoreThreads:
    threads: StoreThreads = connection.app.state.threads
    return threads


Has = Annotated[Services, Depends(_services)]
Threads = Annotated[StoreThreads, Depends(_threads)]

QueryText = Annotated[
    str,
    Query(
        alias="query",
        max_length=4096,
        description="The search grammar; empty matches everything",
        examples=['severity>=7 source.ip:10.0.0.0/8 "failed password"'],
    ),
]
Cursor = Annotated[str | None, Query(max_length=512, description="From the page before")]


def parsed(text: str, services: Services) -> query.Query:
    """The query a person wrote; raises QueryError."""
    asked = query.parse_query(text, now=services.clock.now())
    return query.widened(asked, "template.id", services.template_ids)


async def answer(threads: StoreThreads, read: Callable[[], dict[str, Any]]) -> Response:
    """Read a body from the store and encode it, both away from the event loop. Rows are JSON already: they are not
    taken apart again."""
    return Response(await threads.run(lambda: encoded(read())), media_type="application/json")


def encoded(body: dict[str, Any]) -> bytes:
    """JSON as compact as it can be."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors a route may answer with, for its description."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": _DESCRIPTIONS[status], "content": content} for status in statuses}


_DESCRIPTIONS: Final = {
    400: "The query is wrong; `position` says where",
    403: "Not allowed",
    404: "There is no such thing",
    409: "It cannot be done as things are",
    413: "The body is too large",
    421: "The Host header names another server",
    422: "A parameter or a field of the body is wrong",
    500: "The server failed",
    503: "The store cannot answer now; try again",
}
COMMON: Final = problems(403, 421, 500)
