"""Exceptions and mutes: what rules must not speak of, and what nobody wants to hear of for a while."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from vedette.api.context import COMMON, Cursor, Has, Threads, problems
from vedette.api.guard import requires
from vedette.api.rule_bodies import (
    ExceptionAsk,
    ExceptionEffect,
    ExceptionPage,
    ExceptionRow,
    MuteAsk,
    MuteList,
    MuteRow,
)

router = APIRouter(prefix="/api/v1/exceptions", tags=["exceptions"], responses=COMMON | problems(422, 503))
mutes = APIRouter(prefix="/api/v1/mutes", tags=["exceptions"], responses=COMMON | problems(422, 503))

ExceptionId = Annotated[str, Path(min_length=1, max_length=32, examples=["3f2a9c41d07e"])]
MuteId = Annotated[str, Path(min_length=1, max_length=32, examples=["3f2a9c41d07e"])]


@router.get("", dependencies=[Depends(requires("exceptions:read"))], responses=problems(400))
async def list_exceptions(
    services: Has,
    threads: Threads,
    active: Annotated[bool | None, Query(description="Only those that hold, or have ended")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    cursor: Cursor = None,
) -> ExceptionPage:
    """A page of exceptions, newest first."""
    return await threads.run(services.exceptions.page, active=active, limit=limit, cursor=cursor)


@router.post("/preview", dependencies=[Depends(requires("exceptions:read"))], responses=problems(400, 404, 409, 413))
async def preview_exception(services: Has, threads: Threads, body: ExceptionAsk) -> ExceptionEffect:
    """What an exception would have hidden in the last 30 days; keeps nothing. Waits a few seconds, then answers with
    the backtest as far as it is."""
    return await threads.run(services.exceptions.preview, body)


@router.post(
    "",
    status_code=201,
    dependencies=[Depends(requires("exceptions:write"))],
    responses=problems(400, 404, 413),
)
async def add_exception(services: Has, threads: Threads, body: ExceptionAsk) -> ExceptionRow:
    """Make an exception, by hand or from a finding; it ends by itself."""
    return await threads.run(services.exceptions.add, body)


@router.get("/{exception_id}", dependencies=[Depends(requires("exceptions:read"))], responses=problems(404))
async def get_exception(services: Has, threads: Threads, exception_id: ExceptionId) -> ExceptionRow:
    """One exception."""
    return await threads.run(services.exceptions.get, exception_id)


@router.delete("/{exception_id}", dependencies=[Depends(requires("exceptions:write"))], responses=problems(404))
async def end_exception(services: Has, threads: Threads, exception_id: ExceptionId) -> ExceptionRow:
    """End an exception now; it stays in the list."""
    return await threads.run(services.exceptions.end, exception_id)


@mutes.get("", dependencies=[Depends(requires("exceptions:read"))])
async def list_mutes(services: Has, threads: Threads) -> MuteList:
    """The mutes that hold."""
    return await threads.run(services.exceptions.mutes)


@mutes.post("", status_code=201, dependencies=[Depends(requires("exceptions:write"))], responses=problems(413))
async def add_mute(services: Has, threads: Threads, body: MuteAsk) -> MuteRow:
    """Be quiet about a rule, or one entity of it, until a time."""
    return await threads.run(services.exceptions.mute, body)


@mutes.delete(
    "/{mute_id}", status_code=204, dependencies=[Depends(requires("exceptions:write"))], responses=problems(404)
)
async def end_mute(services: Has, threads: Threads, mute_id: MuteId) -> None:
    """End a mute now."""
    await threads.run(services.exceptions.unmute, mute_id)
