"""What routes find at the application."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Depends, Query
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse

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
    return query.parse_query(text, now=services.clock.now())


def answer(body: dict[str, Any], *, status: int = 200) -> JSONResponse:
    """A body that is JSON already: the store's rows are not taken apart again."""
    return JSONResponse(body, status_code=status)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors a route may answer with, for its description."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": _DESCRIPTIONS[status], "content": content} for status in statuses}


_DESCRIPTIONS: Final = {
    400: "The query is wrong; `position` says where",
    403: "Not allowed",
    404: "There is no such thing",
    413: "The body is too large",
    421: "The Host header names another server",
    422: "A parameter or a field of the body is wrong",
    500: "The server failed",
    503: "The store cannot answer now; try again",
}
COMMON: Final = problems(403, 421, 500)
