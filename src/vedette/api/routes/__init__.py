"""One module a resource."""

from fastapi import APIRouter

from vedette.api.routes import events, findings, health, live, sources, stats

ROUTERS: tuple[APIRouter, ...] = (
    events.router,
    findings.router,
    sources.router,
    stats.router,
    health.router,
    live.router,
)
