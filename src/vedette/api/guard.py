"""Who may do what: every route names the permission it needs, and none is served without one."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from ipaddress import ip_address
from typing import Final, Literal, get_args

from starlette.requests import HTTPConnection

from vedette.api.problems import Refused

Permission = Literal[
    "events:read",
    "events:export",
    "findings:read",
    "findings:write",
    "rules:read",
    "rules:write",
    "rules:test",
    "exceptions:read",
    "exceptions:write",
    "audit:read",
    "sources:read",
    "sources:write",
    "formats:read",
    "formats:write",
    "live:read",
    "system:read",
    "public",
]
PERMISSIONS: Final = frozenset(get_args(Permission))


def requires(permission: Permission) -> Callable[[HTTPConnection], None]:
    """A dependency that lets in who has the permission. Until access control exists that is whoever is on this
    machine; `public` is for answers that hold nothing of value."""

    def check(connection: HTTPConnection) -> None:
        if permission != "public" and not _is_local(connection):
            raise Refused(HTTPStatus.FORBIDDEN, "Vedette answers only on this machine; reach it through an SSH tunnel.")

    check.permission = permission  # type: ignore[attr-defined]  # read by the test that walks all routes
    return check


def _is_local(connection: HTTPConnection) -> bool:
    peer = connection.client.host if connection.client else ""
    try:
        address = ip_address(peer)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
