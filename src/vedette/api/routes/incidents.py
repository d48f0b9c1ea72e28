"""Incidents: findings that tell of the same trouble."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from vedette.api.context import COMMON, Cursor, Has, Threads, problems
from vedette.api.guard import requires
from vedette.api.rule_bodies import IncidentPage, IncidentRow, Status, TriageAsk

router = APIRouter(prefix="/api/v1/incidents", tags=["incidents"], responses=COMMON | problems(422, 503))

IncidentId = Annotated[str, Path(min_length=1, max_length=250)]


@router.get("", dependencies=[Depends(requires("findings:read"))], responses=problems(400))
async def list_incidents(
    *,
    services: Has,
    threads: Threads,
    status: Annotated[Status | None, Query(description="Only those of which this became")] = None,
    min_severity: Annotated[int, Query(ge=1, le=10)] = 1,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Cursor = None,
) -> IncidentPage:
    """A page of incidents, the latest first."""
    return await threads.run(
        services.findings.incidents, status=status, min_severity=min_severity, limit=limit, cursor=cursor
    )


@router.get("/{incident_id}", dependencies=[Depends(requires("findings:read"))], responses=problems(404))
async def get_incident(services: Has, threads: Threads, incident_id: IncidentId) -> IncidentRow:
    """One incident with its story."""
    return await threads.run(services.findings.incident, incident_id)


@router.patch("/{incident_id}", dependencies=[Depends(requires("findings:write"))], responses=problems(404, 413))
async def triage_incident(services: Has, threads: Threads, incident_id: IncidentId, body: TriageAsk) -> IncidentRow:
    """Say what became of an incident; its findings keep their own status."""
    return await threads.run(services.findings.triage_incident, incident_id, body)
