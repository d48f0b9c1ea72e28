"""How the server is, for people and for probes."""

from __future__ import annotations

from dataclasses import asdict
from http import HTTPStatus

from fastapi import APIRouter, Depends

from vedette.api.context import COMMON, Has, Threads, problems
from vedette.api.guard import requires
from vedette.api.problems import Refused
from vedette.api.schemas import Alive, HealthBody
from vedette.model.health import HealthState

router = APIRouter(tags=["health"], responses=COMMON)


@router.get("/api/v1/health", dependencies=[Depends(requires("system:read"))])
async def health(services: Has, threads: Threads) -> HealthBody:
    """Every part with reason and remedy; always 200, read `state`."""
    report = await threads.run(services.health.report)
    return HealthBody.model_validate(asdict(report) | {"version": services.version})


@router.get("/health/live", dependencies=[Depends(requires("public"))])
async def live() -> Alive:
    """The process answers."""
    return Alive(state="alive")


@router.get("/health/ready", dependencies=[Depends(requires("public"))], responses=problems(503))
async def ready(services: Has, threads: Threads) -> Alive:
    """No part is down; 503 names those that are."""
    report = await threads.run(services.health.report)
    down = [part.part for part in report.parts if part.state is HealthState.DOWN]
    if down:
        raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, f"Down: {', '.join(down)}; see /api/v1/health.")
    return Alive(state="ready")
