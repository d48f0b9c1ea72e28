"""Findings: what detection concluded."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from starlette.responses import Response

from vedette.api.context import COMMON, Cursor, Has, Threads, answer, problems
from vedette.api.guard import requires
from vedette.api.problems import not_found
from vedette.api.schemas import FindingPage, FindingRow
from vedette.model.rows import finding_row

router = APIRouter(prefix="/api/v1/findings", tags=["findings"], responses=COMMON | problems(422, 503))


@router.get("", dependencies=[Depends(requires("findings:read"))], response_model=FindingPage)
async def list_findings(
    services: Has,
    threads: Threads,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    cursor: Cursor = None,
    min_severity: Annotated[int, Query(ge=1, le=10)] = 1,
) -> Response:
    """A page of findings, most recently changed first."""

    def read() -> dict[str, Any]:
        found, following = services.store.findings(limit=limit, cursor=cursor, min_severity=min_severity)
        return {"rows": [finding_row(finding) for finding in found], "cursor": following}

    return await answer(threads, read)


@router.get(
    "/{finding_id}",
    dependencies=[Depends(requires("findings:read"))],
    response_model=FindingRow,
    responses=problems(404),
)
async def get_finding(
    services: Has, threads: Threads, finding_id: Annotated[str, Path(min_length=1, max_length=200)]
) -> Response:
    """One finding with its evidence."""

    def read() -> dict[str, Any]:
        finding = services.store.finding(finding_id)
        if finding is None:
            raise not_found("finding", finding_id, field="finding_id")
        return finding_row(finding)

    return await answer(threads, read)
