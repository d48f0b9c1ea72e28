"""Formats: those there are, how lines are read, and the review of learned ones."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Body, Depends, Path, Query

from vedette.api.context import COMMON, Cursor, Has, Threads, problems
from vedette.api.format_bodies import (
    Decision,
    ExplainLines,
    FormatChoicePage,
    FormatDetail,
    FormatExplanation,
    FormatList,
    FormatTest,
    FormatText,
    ProposalChanges,
    ProposalDetail,
    ProposalPage,
    TestLines,
)
from vedette.api.guard import requires
from vedette.api.problems import not_found

router = APIRouter(prefix="/api/v1/formats", tags=["formats"], responses=COMMON | problems(422, 503))

Name = Annotated[str, Path(min_length=1, max_length=128, examples=["http-access"])]
ProposalId = Annotated[str, Path(min_length=1, max_length=32, examples=["3f2a9c41d07e"])]
State = Annotated[Literal["proposed", "accepted", "rejected"] | None, Query(description="Only these")]


@router.get("", dependencies=[Depends(requires("formats:read"))])
async def list_formats(services: Has, threads: Threads) -> FormatList:
    """Every format in use, and the files that are not."""
    return await threads.run(services.library.list_formats)


@router.post("/test", dependencies=[Depends(requires("formats:read"))], responses=problems(404, 413))
async def test_format(services: Has, threads: Threads, body: TestLines) -> FormatTest:
    """What a format makes of lines, and which do not fit; keeps nothing."""
    return await threads.run(services.library.test, body)


@router.post("/explain", dependencies=[Depends(requires("formats:read"))], responses=problems(413))
async def explain_lines(services: Has, threads: Threads, body: ExplainLines) -> FormatExplanation:
    """How lines would be read if they came from a file of their own."""
    return await threads.run(services.library.explain, body)


@router.get("/choices", dependencies=[Depends(requires("formats:read"))])
async def list_choices(
    services: Has,
    threads: Threads,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    cursor: Cursor = None,
) -> FormatChoicePage:
    """The format each file is read with, how sure that is, and why; by source and path."""
    return await threads.run(services.library.choices, limit=limit, cursor=cursor)


@router.get("/review", dependencies=[Depends(requires("formats:read"))])
async def list_proposals(
    *,
    services: Has,
    threads: Threads,
    state: State = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Cursor = None,
) -> ProposalPage:
    """Formats that were learned, the newest first."""
    return await threads.run(services.library.proposals, state, limit=limit, cursor=cursor)


@router.get("/review/{proposal_id}", dependencies=[Depends(requires("formats:read"))], responses=problems(404))
async def get_proposal(services: Has, threads: Threads, proposal_id: ProposalId) -> ProposalDetail:
    """One proposal with its file and what it makes of the first lines."""
    return await threads.run(services.library.proposal, proposal_id)


@router.patch(
    "/review/{proposal_id}", dependencies=[Depends(requires("formats:write"))], responses=problems(404, 409, 413)
)
async def change_proposal(
    services: Has, threads: Threads, proposal_id: ProposalId, body: ProposalChanges
) -> ProposalDetail:
    """Rename it or its captures, or give it another text; it is judged anew."""
    return await threads.run(services.library.change, proposal_id, body)


@router.post(
    "/review/{proposal_id}/accept", dependencies=[Depends(requires("formats:write"))], responses=problems(404, 409, 413)
)
async def accept_proposal(
    services: Has, threads: Threads, proposal_id: ProposalId, body: Annotated[Decision | None, Body()] = None
) -> ProposalDetail:
    """Make it a format; lines that come from now on are read with it."""
    return await threads.run(services.library.accept, proposal_id, body or Decision())


@router.post(
    "/review/{proposal_id}/reject", dependencies=[Depends(requires("formats:write"))], responses=problems(404, 409)
)
async def reject_proposal(services: Has, threads: Threads, proposal_id: ProposalId) -> ProposalDetail:
    """Leave its lines as they are; the like is not proposed again."""
    return await threads.run(services.library.reject, proposal_id)


@router.get("/{name}", dependencies=[Depends(requires("formats:read"))], responses=problems(404))
async def get_format(services: Has, threads: Threads, name: Name) -> FormatDetail:
    """One format with its file."""
    found = await threads.run(services.library.get, name)
    if found is None:
        raise not_found("format", name, field="name")
    return found


@router.put("/{name}", dependencies=[Depends(requires("formats:write"))], responses=problems(413))
async def put_format(services: Has, threads: Threads, name: Name, body: FormatText) -> FormatDetail:
    """Make or replace a format of one's own; one that ships is put aside by one of the same name."""
    return await threads.run(services.library.put, name, body)


@router.delete(
    "/{name}", status_code=204, dependencies=[Depends(requires("formats:write"))], responses=problems(404, 409)
)
async def delete_format(services: Has, threads: Threads, name: Name) -> None:
    """Remove a format of one's own; what was read with it stays as it is."""
    await threads.run(services.library.delete, name)
