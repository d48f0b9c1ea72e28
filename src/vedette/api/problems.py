"""Every error as problem+json (RFC 9457): what is wrong, where, and what to do."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.websockets import WebSocket

from vedette.model.errors import FormatError, QueryError, SettingsError, SourceError, StoreError, StoreFull

log = structlog.get_logger(__name__)

MEDIA_TYPE: Final = "application/problem+json"


class Problem(BaseModel):
    """RFC 9457, with what a person needs to mend it. `position` is a 0-based index into the query's text."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "about:blank",
                    "title": "Unprocessable Content",
                    "status": 422,
                    "detail": "limit: Input should be less than or equal to 1000 (got 5000).",
                    "instance": "/api/v1/events",
                    "field": "limit",
                    "value": "5000",
                }
            ]
        }
    )

    type: str = Field("about:blank", description="A URI of the kind of problem")
    title: str = Field(description="The kind of problem, the same for all of its kind")
    status: int = Field(description="The HTTP status")
    detail: str = Field(description="What is wrong this time, and the remedy, in one sentence")
    instance: str = Field("", description="The path that was asked for")
    field: str | None = Field(None, description="The parameter or the field of the body that is wrong")
    value: str | None = Field(None, description="Its value, shortened")
    position: int | None = Field(None, description="Where in the value")
    suggestion: str | None = Field(None, description="What was probably meant")


class Refused(Exception):
    """A request that cannot be served; becomes a Problem."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        field: str | None = None,
        value: str | None = None,
        suggestion: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.field = field
        self.value = value
        self.suggestion = suggestion
        self.headers = headers


def not_found(what: str, identifier: str, *, field: str = "id") -> Refused:
    return Refused(HTTPStatus.NOT_FOUND, f"There is no {what} {identifier!r}.", field=field, value=identifier)


def problem_response(
    status: int, detail: str, *, path: str, headers: dict[str, str] | None = None, **more: Any
) -> JSONResponse:
    """The answer for an error, whoever found it."""
    problem = Problem(title=_phrase(status), status=status, detail=detail, instance=path, **more)
    body = problem.model_dump(exclude_none=True)
    return JSONResponse(body, status_code=status, headers=headers, media_type=MEDIA_TYPE)


def describe_errors(app: FastAPI) -> None:
    """Turn every error of an application into a Problem."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(QueryError, _query)
    app.add_exception_handler(SettingsError, _settings)
    app.add_exception_handler(FormatError, _format)
    app.add_exception_handler(SourceError, _source)
    app.add_exception_handler(StoreError, _store)
    app.add_exception_handler(Refused, _refused)  # type: ignore[arg-type]  # requests and WebSockets alike
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def _shortened(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 200 else f"{text[:199]}…"


def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
    message = first["msg"].removeprefix("Value error, ")
    more: dict[str, Any] = {"field": field}
    if first["type"] == "missing":
        detail = f"{field} is missing."
    elif first["type"] == "json_invalid":
        more = {"field": "body"}
        detail = f"The body is not JSON: {first.get('ctx', {}).get('error', message)}."
    else:
        more["value"] = _shortened(first.get("input"))
        detail = message if message.startswith(field) else f"{field}: {message} (got {more['value']})."
    return problem_response(422, detail, path=request.url.path, **more)


def _query(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, QueryError)
    return problem_response(
        400,
        str(error),
        path=request.url.path,
        field=_parameter_with(request, error.text),
        value=_shortened(error.text),
        position=error.position,
        suggestion=error.suggestion,
    )


def _parameter_with(request: Request, text: str) -> str:
    """The parameter that a text came in: queries, cursors and columns are all judged by the store."""
    named = (name for name, value in request.query_params.items() if name != "query" and value == text)
    return next(named, "query")


def _settings(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, SettingsError)
    return problem_response(422, str(error), path=request.url.path, field=error.field)


def _format(request: Request, error: Exception) -> JSONResponse:
    return problem_response(422, str(error), path=request.url.path, field="text")


def _source(request: Request, error: Exception) -> JSONResponse:
    return problem_response(422, str(error), path=request.url.path)


def _store(request: Request, error: Exception) -> JSONResponse:
    log.warning("store_refused_request", path=request.url.path, error=str(error))
    status = 507 if isinstance(error, StoreFull) else 503
    return problem_response(status, str(error), path=request.url.path, headers={"Retry-After": "5"})


async def _refused(connection: Request | WebSocket, error: Exception) -> JSONResponse | None:
    assert isinstance(error, Refused)
    response = problem_response(
        error.status,
        error.detail,
        path=connection.url.path,
        headers=error.headers,
        field=error.field,
        value=None if error.value is None else _shortened(error.value),
        suggestion=error.suggestion,
    )
    if isinstance(connection, WebSocket):
        await connection.send_denial_response(response)
        return None
    return response


def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    path = request.url.path
    detail = {
        404: f"There is nothing at {path}; the API is described at /api/openapi.json.",
        405: f"{path} cannot be asked with {request.method}.",
        400: "The body cannot be read; send JSON in UTF-8.",
    }.get(error.status_code, str(error.detail))
    headers = dict(error.headers) if error.headers else None
    return problem_response(error.status_code, detail, path=path, headers=headers)


def _unexpected(request: Request, error: Exception) -> JSONResponse:
    log.error("request_failed", path=request.url.path, method=request.method, exc_info=error)
    detail = "The server failed to answer; its log has the reason."
    return problem_response(500, detail, path=request.url.path)
