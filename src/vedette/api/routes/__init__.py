"""One module a resource."""

from fastapi import APIRouter

from vedette.api.routes import (
    advice,
    audit,
    backtests,
    events,
    exceptions,
    findings,
    formats,
    health,
    incidents,
    live,
    rules,
    sources,
    stats,
)

ROUTERS: tuple[APIRouter, ...] = (
    events.router,
    findings.router,
    incidents.router,
    advice.router,
    rules.router,
    exceptions.router,
    exceptions.mutes,
    backtests.router,
    audit.router,
    sources.router,
    formats.router,
    stats.router,
    health.router,
    live.router,
)
