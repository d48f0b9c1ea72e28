"""Findings: what detection concluded, and what became of it."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query

from vedette.api.context import COMMON, Cursor, Has, Threads, problems
from vedette.api.guard import requires
from vedette.api.rule_bodies import Status, TriageAsk
from vedette.api.schemas import FindingPage, FindingRow
from vedette.api.services import FindingFilter

router = APIRouter(prefix="/api/v1/findings", tags=["findings"], responses=COMMON | problems(422, 503))

FindingId = Annotated[str, Path(min_length=1, max_length=200)]
_MUTED = {"exclude": False, "only": True, "include": None}


@router.get("", dependencies=[Depends(requires("findings:read"))], responses=problems(400))
async def list_findings(
    *,
    services: Has,
    threads: Threads,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    cursor: Cursor = None,
    min_severity: Annotated[int, Query(ge=1, le=10)] = 1,
    rule: Annotated[str | None, Query(max_length=200, description="Only of the rule with this id")] = None,
    status: Annotated[Status | None, Query(description="Only those of which this became")] = None,
    entity: Annotated[
        str | None,
        Query(max_length=512, description="A value, or `column:value`", examples=["source.ip:203.0.113.9"]),
    ] = None,
    muted: Annotated[
        Literal["exclude", "include", "only"], Query(description="Whether muted ones are told")
    ] = "exclude",
) -> FindingPage:
    """A page of findings, most recently changed first."""
    wanted = FindingFilter(min_severity=min_severity, rule=rule, status=status, entity=entity, muted=_MUTED[muted])
    return await threads.run(services.findings.page, wanted, limit=limit, cursor=cursor)


@router.get("/{finding_id}", dependencies=[Depends(requires("findings:read"))], responses=problems(404))
async def get_finding(services: Has, threads: Threads, finding_id: FindingId) -> FindingRow:
    """One finding with its evidence."""
    return await threads.run(services.findings.get, finding_id)


@router.patch("/{finding_id}", dependencies=[Depends(requires("findings:write"))], responses=problems(404, 413))
async def triage_finding(services: Has, threads: Threads, finding_id: FindingId, body: TriageAsk) -> FindingRow:
    """Say what became of a finding."""
    return await threads.run(services.findings.triage, finding_id, body)
