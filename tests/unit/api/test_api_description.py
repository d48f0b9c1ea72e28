"""What the API says of itself, and what every route must have."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute, APIWebSocketRoute
from starlette.routing import BaseRoute

from vedette.api import console, openapi_document
from vedette.api.application import create_app
from vedette.api.guard import PERMISSIONS
from vedette.api.routes import ROUTERS
from vedette.live import live_schema
from vedette.live.protocol import SERVER_MESSAGE

ROUTES: list[BaseRoute] = [route for router in (*ROUTERS, console.router) for route in router.routes]


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in openapi_document()["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: getattr(route, "path", "?"))
def test_every_route_names_its_permission(route: BaseRoute) -> None:
    assert isinstance(route, APIRoute | APIWebSocketRoute)
    named = [getattr(each.call, "permission", None) for each in route.dependant.dependencies]
    assert PERMISSIONS & set(named), f"{route.path} is not guarded"


def test_websocket_is_among_the_guarded_routes() -> None:
    assert "/api/v1/live" in [route.path for route in ROUTES if isinstance(route, APIWebSocketRoute)]


def test_application_has_no_route_beside_the_routers() -> None:
    from typing import cast

    from vedette.api import Services

    class Nothing:
        version, hosts, origins = "0", (), ()

    app = create_app(cast(Services, Nothing()))
    beside = [path for route in app.routes if (path := getattr(route, "path", None)) is not None]
    assert beside == ["/api/openapi.json"]


@pytest.mark.parametrize(("method", "path", "operation"), list(operations()), ids=lambda value: str(value)[:40])
def test_operation_describes_its_answers_and_errors(method: str, path: str, operation: dict[str, Any]) -> None:
    assert operation["description"]
    errors = {status for status in operation["responses"] if status >= "4"}
    assert {"403", "421", "500"} <= errors
    for status in errors:
        assert list(operation["responses"][status]["content"]) == ["application/problem+json"]
    if operation.get("parameters") or operation.get("requestBody"):
        assert "422" in errors


def test_operation_ids_are_distinct_names() -> None:
    ids = [operation["operationId"] for _, _, operation in operations()]
    assert len(set(ids)) == len(ids)
    assert all(name.isidentifier() for name in ids)


@pytest.mark.parametrize("document", [openapi_document(), live_schema()], ids=["openapi", "live"])
def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    for reference in {part.partition('"')[0] for part in text.split('"$ref": "#/')[1:]}:
        node: Any = document
        for key in reference.split("/"):
            node = node[key]


def test_live_schema_names_every_message() -> None:
    defined = live_schema()["$defs"]
    assert {each["$ref"].rpartition("/")[2] for each in defined["ClientMessage"]["oneOf"]} == {
        "Subscribe",
        "Unsubscribe",
        "Pause",
        "Resume",
        "Ping",
    }
    assert len(defined["ServerMessage"]["oneOf"]) == 8


def test_server_messages_read_back_as_what_they_are() -> None:
    batch = SERVER_MESSAGE.validate_json('{"type":"batch","id":"s","first_seq":1,"last_seq":1,"rows":[]}')
    assert type(batch).__name__ == "Batch"
