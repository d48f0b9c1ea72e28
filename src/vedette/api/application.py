"""The ASGI application: routes, errors, protection, console."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.types import ASGIApp

from vedette.api import console
from vedette.api.browser import BrowserGuard
from vedette.api.limits import BodyLimit
from vedette.api.problems import Problem, describe_errors
from vedette.api.routes import ROUTERS
from vedette.api.services import Services
from vedette.api.threads import StoreThreads

_DESCRIPTION: Final = (
    "Events, findings, sources and health of one Vedette. Errors are `application/problem+json` (RFC 9457). "
    "What happens now comes over the WebSocket `/api/v1/live`."
)


def create_app(services: Services) -> FastAPI:
    """The application for these services. Its lifespan owns nothing but its own threads."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        threads.close()

    threads = StoreThreads()
    app = _bare_app(version=services.version, lifespan=lifespan)
    app.state.services = services
    app.state.threads = threads
    app.hosts, app.origins = services.hosts, services.origins
    return app


def openapi_document(version: str = "") -> dict[str, Any]:
    """The description of the API, without any service: for the console's types and the reference."""
    return _bare_app(version=version or "0").openapi()


class _Guarded(FastAPI):
    """Everything goes through the guard, also the answer to an error nobody expected."""

    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()

    def build_middleware_stack(self) -> ASGIApp:
        inside = BodyLimit(super().build_middleware_stack())
        return BrowserGuard(inside, hosts=self.hosts, origins=self.origins)


def _bare_app(*, version: str, lifespan: Any = None) -> _Guarded:
    app = _Guarded(
        title="Vedette",
        version=version,
        description=_DESCRIPTION,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        generate_unique_id_function=lambda route: route.name,
    )
    describe_errors(app)
    for router in ROUTERS:
        app.include_router(router)
    app.include_router(console.router)
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]  # the documented way to extend it
    return app


def _described(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        schemas = schema.setdefault("components", {}).setdefault("schemas", {})
        schemas["Problem"] = Problem.model_json_schema()
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        app.openapi_schema = schema
    return app.openapi_schema
