"""Numbers of this moment."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter, Depends

from vedette.api.context import COMMON, Has, Threads, problems
from vedette.api.guard import requires
from vedette.api.schemas import StatsBody

router = APIRouter(prefix="/api/v1/stats", tags=["stats"], responses=COMMON | problems(503))


@router.get("", dependencies=[Depends(requires("system:read"))])
async def stats(services: Has, threads: Threads) -> StatsBody:
    """Sizes, rates, latencies."""
    sizes = await threads.run(services.store.stats)
    report = await threads.run(services.health.report)
    return StatsBody.model_validate(
        {
            "at": services.clock.now(),
            "store": asdict(sizes),
            "live": asdict(services.sockets.figures()),
            "process": asdict(report.process),
            "pipeline": dict(services.stats()),
        }
    )
