"""The trail: who decided what."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from vedette.api.context import COMMON, Cursor, Has, Threads, problems
from vedette.api.guard import requires
from vedette.api.rule_bodies import AuditPage

router = APIRouter(prefix="/api/v1/audit", tags=["audit"], responses=COMMON | problems(400, 422, 503))


@router.get("", dependencies=[Depends(requires("audit:read"))])
async def list_decisions(
    services: Has,
    threads: Threads,
    subject: Annotated[
        str | None, Query(max_length=200, description="Only about this rule, finding, incident, exception or mute")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    cursor: Cursor = None,
) -> AuditPage:
    """A page of decisions about detection, newest first."""
    return await threads.run(services.findings.audit, subject=subject, limit=limit, cursor=cursor)
